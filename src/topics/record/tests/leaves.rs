//! What a server keeps of a group, leaf by leaf.

use super::{
    model::{Step, step},
    *,
};

/// What a server has, and a node that is told of each change, or of several together.
struct Servers {
    row: Vec<u8>,
    leaves: BTreeMap<String, Vec<u8>>,
    /// Since the other node was told.
    changed: BTreeSet<String>,
    other: Option<GroupTopics>,
}

impl Servers {
    fn take(&mut self, Written { row, leaves }: Written) {
        self.row = row;
        for (name, leaf) in leaves {
            match leaf {
                Some(leaf) => drop(self.leaves.insert(name.clone(), leaf)),
                None => drop(self.leaves.remove(&name)),
            }
            self.changed.insert(name);
        }
    }

    fn tell_the_other(&mut self) {
        let names = std::mem::take(&mut self.changed);
        let all = |(name, leaf): (&String, &Vec<u8>)| (name.clone(), Some(leaf.clone()));
        let row = self.row.clone();
        match &mut self.other {
            Some(other) => {
                let leaf = |name: String| (name.clone(), self.leaves.get(&name).cloned());
                let leaves = names.into_iter().map(leaf).collect();
                other.become_another(&Written { row, leaves }).unwrap();
            }
            None => {
                let leaves = self.leaves.iter().map(all).collect();
                self.other = Some(GroupTopics::read(&Written { row, leaves }).unwrap());
            }
        }
    }
}

/// All that a record says, and all that it finds it by.
pub(super) fn books(record: &GroupTopics) -> String {
    let GroupTopics { history, retained, expiries, of_visitors, lossy, idle, topics, .. } = record;
    let figures = (record.kept(), record.history_bytes, record.retained_bytes);
    let saved = serde_json::to_string(record).unwrap();
    format!(
        "{saved} {history:?} {retained:?} {expiries:?} {of_visitors:?} {lossy:?} {idle:?} {topics:?} {figures:?}"
    )
}

proptest! {
    /// A server that is told of each change has all of it, whoever knows some version becomes the next one by what differs,
    /// and what does not count leaves no trace.
    #[test]
    fn leaves_say_what_the_record_says(history in 0..4_usize, topics in 1..4_usize, steps in prop::collection::vec((step(), any::<bool>(), any::<bool>()), 1..60)) {
        let mut bench = Bench::new(history);
        bench.rules.limits = KeepLimits { topics, history_bytes: 8 * MESSAGE_COST, ..bench.rules.limits };
        let Written { row, .. } = bench.record.written(Which::All).unwrap();
        let mut servers = Servers { row, leaves: BTreeMap::new(), changed: BTreeSet::new(), other: None };
        let mut together = Vec::new();
        for (step, counts, is_told) in steps {
            match step {
                Step::Publish { topic, data, retain, expiry_ms, is_visitor } => {
                    together.push(Publication { is_visitor, ..publication(topic, data, retain, expiry_ms) });
                    if data < 3 {
                        continue;
                    }
                }
                Step::Wait(ms) => bench.now = bench.now + ms,
                Step::Save => {}
            }
            let (before, checkpoint) = (books(&bench.record), bench.record.checkpoint());
            let mut command = Command::Publish(std::mem::take(&mut together));
            if let Command::Publish(none) = &command && none.is_empty() {
                command = Command::Tick;
            }
            bench.tries(command);
            if !counts {
                bench.record.roll_back(checkpoint);
                prop_assert_eq!(books(&bench.record), before);
                continue;
            }
            servers.take(bench.record.written(Which::Changed).unwrap());
            bench.record.stands();
            let all = bench.record.written(Which::All).unwrap();
            let leaves: BTreeMap<_, _> = all.leaves.into_iter().map(|(name, leaf)| (name, leaf.unwrap())).collect();
            prop_assert_eq!((&servers.row, &servers.leaves), (&all.row, &leaves));
            if is_told {
                servers.tell_the_other();
                prop_assert_eq!(books(servers.other.as_ref().unwrap()), books(&bench.record));
            }
        }
    }
}

/// A message is written and what leaves for it is taken away, however much there is beside.
#[test]
fn a_message_costs_no_more_where_much_is_kept() {
    let mut bench = Bench::new(3);
    bench.rules.limits = KeepLimits { topics: 1_000, ..bench.rules.limits };
    for number in 0..500 {
        bench.publish(&format!("t/{}", number % 100), number, true).unwrap();
    }
    bench.tries(Command::Publish(vec![publication("t/7", 1, true, None)]));
    let Written { row, leaves } = bench.record.written(Which::Changed).unwrap();
    let names: Vec<&str> = leaves.iter().map(|(name, _)| &**name).collect();
    // The one that leaves, the value that is replaced, the new one, and what the topic remembers.
    assert_eq!(names, ["m208", "m408", "m501", "tt/7"]);
    let bytes = leaves.iter().map(|(name, leaf)| name.len() + leaf.as_ref().map_or(0, Vec::len));
    let bytes = row.len() + bytes.sum::<usize>();
    assert!(bytes < 1_000, "{bytes} bytes");
    bench.record.stands();
    // What changes nothing writes nothing.
    bench.rules = rules(0);
    bench.tries(Command::Publish(vec![publication("x", 2, false, None)]));
    assert_eq!(bench.record.written(Which::Changed).unwrap(), Written { row, leaves: Vec::new() });
}

/// What is no row of this version is refused.
#[test]
fn a_row_of_another_version_is_not_taken_for_one() {
    let saved = serde_json::to_vec(&Bench::new(1).record).unwrap();
    let problem = GroupTopics::read(&Written { row: saved, leaves: Vec::new() }).unwrap_err();
    assert!(problem.to_string().contains("unknown field `row`"), "{problem}");
    let row = Bench::new(1).record.written(Which::All).unwrap().row;
    let leaf = ("x1".to_owned(), Some(b"1".to_vec()));
    let problem = GroupTopics::read(&Written { row, leaves: vec![leaf] }).unwrap_err();
    assert!(problem.to_string().contains("x1 is no leaf"), "{problem}");
}
