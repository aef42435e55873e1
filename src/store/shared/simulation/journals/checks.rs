//! What must hold at the end, when nothing breaks any more and nothing is under way.

use super::*;

impl<const IN_LEAVES: bool> Play<IN_LEAVES> {
    /// What was answered, told and found fits to what there is.
    pub(super) fn check(&self) {
        let World { nodes, gone, .. } = &self.world;
        let said = self.world.stage.lock();
        let journals: Vec<Journal<IN_LEAVES>> = (0..KEYS).map(|key| self.journal(key)).collect();
        for (entry, (key, by, hearers)) in &self.written {
            let entries = &journals[usize::try_from(*key).unwrap()].entries;
            let places: Vec<usize> =
                (1..).zip(entries).filter(|(_, other)| *other == entry).map(|(at, _)| at).collect();
            if said.lost.contains(entry) && places.is_empty() {
                continue;
            }
            match said.answers.get(entry) {
                Some(Ok(Applied { reply: Reply::Place(place), .. })) => {
                    assert_eq!(places, [*place], "{entry} was answered as done");
                }
                Some(Ok(_)) => assert!(places.is_empty(), "{entry} was refused"),
                Some(Err(Refusal::Full)) => {
                    assert!(self.most == FEW && places.is_empty(), "{entry} was refused");
                }
                Some(Err(Refusal::Away)) => assert!(places.len() <= 1, "{entry} was done twice"),
                Some(Err(refusal)) => panic!("{entry}: {refusal}"),
                None => {
                    assert!(gone.iter().any(|node| node.id == *by), "{entry} has no answer");
                    assert!(places.len() <= 1, "{entry} was done twice");
                }
            }
            let Some(&place) = places.first() else { continue };
            for node in nodes.iter().filter(|node| !node.was_cut) {
                let concerns = match hearers {
                    Hearers::Here => node.id == *by,
                    Hearers::Everyone => usize::try_from(node.id.incarnation).unwrap() <= NODES,
                    Hearers::Nodes(nodes) => nodes.contains(&node.id),
                };
                let told = (*key, Learnt::Told(*entry, place));
                let heard = said.learnt.get(&node.id).is_some_and(|learnt| learnt.contains(&told));
                assert!(heard || !concerns, "{:?} did not hear of {entry}", node.id);
            }
        }
        for ((key, node), holds) in &said.held {
            let is_there = nodes.iter().any(|other| other.id == *node);
            let journal = &journals[usize::try_from(*key).unwrap()];
            let is_so = holds.is_none_or(|holds| journal.holders.contains(node) == holds);
            assert!(is_so || !is_there, "{node:?} holds {key}: {holds:?}");
        }
        for (node, learnt) in &said.learnt {
            // The newest entry of each record that the node knows of.
            let mut newest = BTreeMap::new();
            for (key, learnt) in learnt {
                let entries = &journals[usize::try_from(*key).unwrap()].entries;
                let newest = newest.entry(*key).or_insert(0);
                match *learnt {
                    // What was lost since then has no place.
                    Learnt::Told(entry, _) if said.lost.contains(&entry) => {}
                    Learnt::Found(_) if !said.lost.is_empty() => {}
                    Learnt::Told(entry, place) => {
                        assert!(*newest < place, "{node:?} heard of {entry} late or twice");
                        assert_eq!(entries[place - 1], entry);
                        *newest = place;
                    }
                    Learnt::Found(number) => {
                        assert!(*newest <= number, "{node:?} saw less than it was told");
                        *newest = number;
                    }
                }
            }
        }
    }

    /// Nothing stays with those who are gone.
    pub(super) fn check_that_they_let_go(&mut self) {
        self.let_go();
        self.world.settle();
        for key in 0..KEYS {
            for holder in self.journal(key).holders {
                let is_there = self.world.nodes.iter().any(|node| node.id == holder);
                assert!(is_there, "{holder:?} is gone");
                let is_listed = self.world.server.data.held.contains(&(holder, key));
                assert!(is_listed, "{holder:?} is not on the list");
            }
        }
    }

    /// Whoever is left cares for what is due.
    pub(super) fn check_that_time_passes(&mut self) {
        self.world.now = self.world.now + 10_000;
        for _ in 0..2 {
            self.world.sweep(0, self.world.now);
            self.world.settle();
        }
        for key in 0..KEYS {
            let is_known = self.world.server.data.due.contains_key(&key);
            assert!(!is_known, "record {key} is due and nobody cares");
            assert_eq!(self.journal(key).deadline(&()), None, "no list knows of record {key}");
        }
    }
}
