//! The parts that the data of nodes are in. One server has all of it in one part; in a cluster there are [`PARTS`], each of
//! which is in one slot, and so on one master.
//!
//! A record, the mark of its data and the lists beside it are in one part, so that a script may touch them together; so
//! are the channels on which it is told of, where the server knows channels of slots. All names of a part have its *tag*
//! in braces, by which the cluster knows the slot.

/// The parts of a cluster's data. More than masters at most; nodes that do not agree on it do not find each other's records.
pub(super) const PARTS: u16 = 16;
/// The slots of a cluster.
const SLOTS: u16 = 16_384;

/// One part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    number: u16,
    /// None where there is only one.
    tag: Option<u16>,
}

impl Part {
    /// The only one of a server.
    pub(super) const WHOLE: Self = Self { number: 0, tag: None };

    /// Those of a cluster. Their slots are as far from each other as can be, so that masters that share the slots evenly
    /// share the parts, too.
    pub(super) fn of_a_cluster() -> impl Iterator<Item = Self> {
        let tag = |number| {
            let is_there =
                |tag: &u16| slot_of(tag.to_string().as_bytes()) / (SLOTS / PARTS) == number;
            Self { number, tag: (0..).find(is_there) }
        };
        (0..PARTS).map(tag)
    }

    /// Its number, from 0 on.
    pub(super) fn number(self) -> usize {
        self.number.into()
    }

    /// Whether what all nodes have in common is here, their leases and secrets.
    pub(super) fn is_first(self) -> bool {
        self.number == 0
    }

    /// The slot that it is in.
    pub(super) fn slot(self) -> u16 {
        self.tag.map_or(0, |tag| slot_of(tag.to_string().as_bytes()))
    }

    /// A name in this part.
    pub(super) fn name(self, prefix: &str, name: &str) -> String {
        match self.tag {
            Some(tag) => format!("{prefix}{{{tag}}}{name}"),
            None => format!("{prefix}{name}"),
        }
    }
}

/// The number of the part, of so many, that a record of this kind is in.
pub(super) fn part_of(kind: &str, member: &str, parts: usize) -> usize {
    let sum = checksum(kind.bytes().chain([b':']).chain(member.bytes()));
    usize::from(sum) % parts.max(1)
}

/// The slot of what has this in braces.
fn slot_of(tag: &[u8]) -> u16 {
    checksum(tag.iter().copied()) % SLOTS
}

/// CRC-16/XMODEM, which clusters know slots by.
fn checksum(bytes: impl Iterator<Item = u8>) -> u16 {
    let shift = |sum: u16| if sum & 0x8000 == 0 { sum << 1 } else { sum << 1 ^ 0x1021 };
    bytes.fold(0, |sum, byte| (0..8).fold(sum ^ u16::from(byte) << 8, |sum, _| shift(sum)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn slots_are_those_of_the_specification() {
        assert_eq!(checksum(b"123456789".iter().copied()), 0x31c3);
        assert_eq!((slot_of(b"foo"), slot_of(b"somekey")), (12_182, 11_058));
    }

    #[test]
    fn parts_are_spread_over_the_slots_and_their_names_stay_in_them() {
        let slots: Vec<u16> = Part::of_a_cluster().map(Part::slot).collect();
        for (number, slot) in (0..).zip(&slots) {
            assert_eq!(slot / (SLOTS / PARTS), number, "{slots:?}");
        }
        let part = Part::of_a_cluster().nth(3).unwrap();
        let name = part.name("shop:", "visitor:\"{x}\"");
        let tag = name.strip_prefix("shop:{").unwrap().split('}').next().unwrap();
        assert_eq!(slot_of(tag.as_bytes()), part.slot());
        assert_eq!(Part::WHOLE.name("shop:", "due:visitor"), "shop:due:visitor");
    }

    #[test]
    fn records_are_spread_over_the_parts() {
        let mut records = BTreeMap::<usize, usize>::new();
        for number in 0..16_000 {
            *records.entry(part_of("visitor", &format!("\"v{number}\""), 16)).or_default() += 1;
        }
        assert_eq!(records.len(), 16);
        assert!(records.values().all(|number| (800..1_200).contains(number)), "{records:?}");
        assert_eq!(part_of("visitor", "\"v1\"", 1), 0);
    }
}
