//! Finds the filters that choose a topic, among very many.
//!
//! A tree with a node for each beginning of a filter, level by level. To find what chooses a topic one walks down its
//! levels, at each node along at most three ways: the level itself, `+`, and `#`, which ends there. So the time grows with
//! the ways that exist for this topic, whatever other filters there are.
//!
//! All edges are in one map by node and word, and words are numbered: a node has no map of its own, and a level that a
//! million filters share is held once.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use slab::Slab;

use crate::model::topic::{Topic, TopicFilter};

const ROOT: u32 = 0;
const ONE: Word = Word(0);
const REST: Word = Word(1);

/// The number of a level's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Word(u32);

/// Where a value is; given back by [`Trie::remove`]. Another value may get it after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place(u32);

#[derive(Default)]
struct Node {
    parent: u32,
    word: u32,
    children: u32,
    /// Values whose filter ends here.
    values: Vec<u32>,
}

struct Value<T> {
    node: u32,
    /// Where among the node's values.
    at: u32,
    value: T,
}

/// A level's text, as long as a filter has it.
struct Named {
    text: Arc<str>,
    edges: u32,
}

/// Values by filter; a filter may have many.
pub struct Trie<T> {
    nodes: Slab<Node>,
    edges: HashMap<(u32, Word), u32>,
    words: HashMap<Arc<str>, Word>,
    named: Slab<Named>,
    values: Slab<Value<T>>,
}

impl<T> Default for Trie<T> {
    fn default() -> Self {
        let mut nodes = Slab::new();
        nodes.insert(Node::default());
        let mut named = Slab::new();
        // The wildcards have the first two numbers, and keep them.
        for text in ["+", "#"] {
            named.insert(Named { text: text.into(), edges: 1 });
        }
        Self { nodes, edges: HashMap::new(), words: HashMap::new(), named, values: Slab::new() }
    }
}

impl<T> Trie<T> {
    /// How many values there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// How many nodes there are, the root included.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// Enters a value. There may be as many as 2^32 nodes, words and values; callers have lower bounds.
    pub fn insert(&mut self, filter: &TopicFilter, value: T) -> Place {
        let node = filter.levels().fold(ROOT, |node, level| {
            let word = self.word(level);
            self.descend(node, word)
        });
        let values = self.nodes.get_mut(index(node)).map(|node| &mut node.values);
        let at = values.as_ref().map_or(0, |values| number(values.len()));
        let place = number(self.values.insert(Value { node, at, value }));
        if let Some(values) = values {
            values.push(place);
        }
        Place(place)
    }

    /// Takes a value out, and with it what only it needed.
    pub fn remove(&mut self, place: Place) -> Option<T> {
        let Value { node, at, value } = self.values.try_remove(index(place.0))?;
        if let Some(node) = self.nodes.get_mut(index(node)) {
            node.values.swap_remove(index(at));
            if let Some(moved) = node.values.get(index(at))
                && let Some(moved) = self.values.get_mut(index(*moved))
            {
                moved.at = at;
            }
            if node.values.capacity() > 16 && node.values.len() < node.values.capacity() / 4 {
                node.values.shrink_to(node.values.len() * 2);
            }
        }
        self.prune(node);
        Some(value)
    }

    /// The value at a place.
    #[must_use]
    pub fn get(&self, place: Place) -> Option<&T> {
        self.values.get(index(place.0)).map(|value| &value.value)
    }

    /// All values.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.values.iter().map(|(_, value)| &value.value)
    }

    /// Calls `found` with every value whose filter chooses `topic`, each once, in no particular order.
    pub fn matches<'a>(&'a self, topic: &Topic, mut found: impl FnMut(&'a T)) {
        // A level that no filter names can only be met by a wildcard.
        let levels: Vec<Option<Word>> =
            topic.levels().map(|level| self.words.get(level).copied()).collect();
        let wild_at_root = !topic.is_special();
        let mut ways = vec![(ROOT, 0)];
        while let Some((node, depth)) = ways.pop() {
            let wild = depth > 0 || wild_at_root;
            if let Some(rest) = self.edges.get(&(node, REST)).filter(|_| wild) {
                self.give(*rest, &mut found);
            }
            let Some(level) = levels.get(depth) else {
                self.give(node, &mut found);
                continue;
            };
            let one = self.edges.get(&(node, ONE)).filter(|_| wild);
            let literal = level.and_then(|word| self.edges.get(&(node, word)));
            ways.extend(one.into_iter().chain(literal).map(|node| (*node, depth + 1)));
        }
    }

    fn give<'a>(&'a self, node: u32, found: &mut impl FnMut(&'a T)) {
        let places = self.nodes.get(index(node)).map(|node| node.values.as_slice());
        for place in places.unwrap_or_default() {
            if let Some(value) = self.values.get(index(*place)) {
                found(&value.value);
            }
        }
    }

    fn word(&mut self, level: &str) -> Word {
        match level {
            "+" => return ONE,
            "#" => return REST,
            _ => {}
        }
        if let Some(word) = self.words.get(level) {
            return *word;
        }
        let text: Arc<str> = level.into();
        let word = Word(number(self.named.insert(Named { text: Arc::clone(&text), edges: 0 })));
        self.words.insert(text, word);
        word
    }

    fn descend(&mut self, parent: u32, word: Word) -> u32 {
        let edge = match self.edges.entry((parent, word)) {
            Entry::Occupied(edge) => return *edge.get(),
            Entry::Vacant(edge) => edge,
        };
        let node = Node { parent, word: word.0, children: 0, values: Vec::new() };
        let node = *edge.insert(number(self.nodes.insert(node)));
        if let Some(parent) = self.nodes.get_mut(index(parent)) {
            parent.children += 1;
        }
        if let Some(named) = self.named.get_mut(index(word.0)) {
            named.edges += 1;
        }
        node
    }

    /// Drops a node that nothing needs any more, and then those above it.
    fn prune(&mut self, mut at: u32) {
        while at != ROOT {
            let Some(node) = self.nodes.get(index(at)) else { return };
            if node.children > 0 || !node.values.is_empty() {
                return;
            }
            let (parent, word) = (node.parent, Word(node.word));
            self.nodes.remove(index(at));
            self.edges.remove(&(parent, word));
            if let Some(parent) = self.nodes.get_mut(index(parent)) {
                parent.children -= 1;
            }
            self.forget(word);
            at = parent;
        }
        self.shrink();
    }

    fn forget(&mut self, word: Word) {
        let Some(named) = self.named.get_mut(index(word.0)) else { return };
        named.edges -= 1;
        if named.edges == 0 {
            let named = self.named.remove(index(word.0));
            self.words.remove(&named.text);
        }
    }

    /// Gives memory back once nearly all is gone.
    fn shrink(&mut self) {
        if self.edges.capacity() > 1_024 && self.edges.len() < self.edges.capacity() / 8 {
            self.edges.shrink_to(self.edges.len() * 2);
            self.words.shrink_to(self.words.len() * 2);
            self.nodes.shrink_to_fit();
            self.named.shrink_to_fit();
            self.values.shrink_to_fit();
        }
    }
}

fn index(number: u32) -> usize {
    number as usize
}

fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(trie: &Trie<usize>, topic: &str) -> Vec<usize> {
        let mut found = Vec::new();
        trie.matches(&topic.parse().unwrap(), |value| found.push(*value));
        found.sort_unstable();
        found
    }

    #[test]
    fn the_table_of_examples_holds_here_too() {
        #[derive(serde::Deserialize)]
        struct Fixture {
            matches: Vec<(TopicFilter, String, bool)>,
        }
        let text = include_str!("../../tests/fixtures/topic-filters.json");
        let Fixture { matches } = serde_json::from_str(text).unwrap();
        let mut trie = Trie::default();
        for (number, (filter, ..)) in matches.iter().enumerate() {
            trie.insert(filter, number);
        }
        for (number, (filter, topic, expected)) in matches.iter().enumerate() {
            let is_found = found(&trie, topic).contains(&number);
            assert_eq!(is_found, *expected, "{filter:?} {topic:?}");
        }
    }

    #[test]
    fn what_is_taken_out_leaves_nothing_behind() {
        let mut trie = Trie::default();
        let places: Vec<_> = (0..10_000_usize)
            .map(|number| {
                trie.insert(&format!("a/{}/{number}/#", number % 7).parse().unwrap(), number)
            })
            .collect();
        assert_eq!(found(&trie, "a/3/3/x"), [3]);
        for place in &places {
            assert!(trie.remove(*place).is_some());
        }
        assert!(trie.is_empty() && trie.remove(places[0]).is_none());
        let counts = (trie.nodes.len(), trie.edges.len(), trie.words.len(), trie.named.len());
        assert_eq!(counts, (1, 0, 0, 2));
        assert!(trie.edges.capacity() < 2_048 && trie.nodes.capacity() < 64);
    }

    /// However many filters there are, a topic is only compared with its own.
    #[test]
    fn the_work_grows_with_what_is_found() {
        let mut trie = Trie::default();
        for number in 0..50_000_usize {
            trie.insert(&format!("truck/{number}/temperature").parse().unwrap(), number);
            trie.insert(&format!("truck/{number}/+").parse().unwrap(), number + 1_000_000);
        }
        assert_eq!(found(&trie, "truck/77/temperature"), [77, 1_000_077]);
        assert_eq!(found(&trie, "truck/77/speed"), [1_000_077]);
        assert_eq!(found(&trie, "boat/77/speed"), [0; 0]);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert(TopicFilter),
        Remove(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let filter = "(\\$|)(a|b|\\+|)(/(a|b|\\+|)){0,3}(/#)?|#"
            .prop_filter_map("no filter", |text| text.parse().ok());
        prop_oneof![3 => filter.prop_map(Step::Insert), 2 => (0..64_usize).prop_map(Step::Remove)]
    }

    proptest! {
        /// Comparing with every filter is what the tree must agree with.
        #[test]
        fn it_finds_what_a_comparison_with_all_finds(
            steps in prop::collection::vec(step(), 1..60),
            topics in prop::collection::vec("(\\$|)(a|b|z|)(/(a|b|z|)){0,4}", 1..12),
        ) {
            let mut trie = Trie::default();
            let mut naive: Vec<(usize, TopicFilter, Place)> = Vec::new();
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Insert(filter) => {
                        let place = trie.insert(&filter, number);
                        naive.push((number, filter, place));
                    }
                    Step::Remove(at) if at < naive.len() => {
                        let (number, _, place) = naive.swap_remove(at);
                        prop_assert_eq!(trie.remove(place), Some(number));
                    }
                    Step::Remove(_) => {}
                }
            }
            prop_assert_eq!(trie.len(), naive.len());
            for topic in topics.iter().filter_map(|text| text.parse::<Topic>().ok()) {
                let mut expected: Vec<_> = naive
                    .iter()
                    .filter_map(|(number, filter, _)| filter.matches(&topic).then_some(*number))
                    .collect();
                expected.sort_unstable();
                prop_assert_eq!(found(&trie, topic.as_str()), expected);
            }
            for (.., place) in naive {
                trie.remove(place);
            }
            let counts = (trie.nodes.len(), trie.edges.len(), trie.words.len(), trie.named.len());
            prop_assert_eq!(counts, (1, 0, 0, 2));
        }
    }
}
