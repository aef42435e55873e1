//! Filters and topics as clients write them, a line each: `+` and a filter subscribes, `-` and a number ends what that line
//! began, `=` and a topic is published to. Other lines are read as both.

use std::collections::BTreeMap;

use vestibule::{
    model::topic::{MAX_BYTES, MAX_LEVELS, Rights, Topic, TopicFilter},
    topics::trie::Trie,
};

pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut trie = Trie::default();
    let mut entered = BTreeMap::new();
    for (number, line) in text.split('\n').enumerate().take(200) {
        match line.split_at_checked(1) {
            Some(("+", text)) => {
                if let Some(filter) = filter(text) {
                    let place = trie.insert(&filter, number);
                    entered.insert(number, (filter, place));
                }
            }
            Some(("-", text)) => {
                let ended =
                    text.parse().ok().and_then(|number: usize| entered.remove_entry(&number));
                if let Some((number, (_, place))) = ended {
                    assert_eq!(trie.remove(place), Some(number));
                }
            }
            Some(("=", text)) => {
                if let Some(topic) = topic(text) {
                    published(&trie, &entered, &topic);
                }
            }
            _ => {
                let _ = (filter(line), topic(line));
            }
        }
    }
    for (number, (_, place)) in entered {
        assert_eq!(trie.remove(place), Some(number));
    }
    assert_eq!((trie.len(), trie.nodes()), (0, 1), "something is left behind");
}

fn filter(text: &str) -> Option<TopicFilter> {
    let filter = text.parse::<TopicFilter>().ok()?;
    within_bounds(filter.as_str(), text);
    assert!(filter.covers(&filter));
    assert!(text.starts_with(filter.prefix()));
    Some(filter)
}

fn topic(text: &str) -> Option<Topic> {
    let topic = text.parse::<Topic>().ok()?;
    within_bounds(topic.as_str(), text);
    assert!(!text.contains(['+', '#']));
    // As a filter it chooses itself alone, unless that would be a word of ours.
    if let Ok(same) = text.parse::<TopicFilter>() {
        assert!(same.matches(&topic));
    }
    Some(topic)
}

fn within_bounds(read: &str, text: &str) {
    assert_eq!(read, text);
    assert!((1..=MAX_BYTES).contains(&text.len()) && text.split('/').count() <= MAX_LEVELS);
    assert!(!text.contains('\0') && !text.starts_with('~'));
}

/// The tree finds what a comparison with all finds, and who may subscribe to something hears nothing beyond it.
fn published(
    trie: &Trie<usize>,
    entered: &BTreeMap<usize, (TopicFilter, vestibule::topics::trie::Place)>,
    topic: &Topic,
) {
    let mut found = Vec::new();
    trie.matches(topic, |number| found.push(*number));
    found.sort_unstable();
    let choosing = entered.iter().filter(|(_, (filter, _))| filter.matches(topic));
    assert_eq!(found, choosing.map(|(number, _)| *number).collect::<Vec<_>>());
    for (allowed, _) in entered.values().take(20) {
        let subscribe = [allowed.clone()].into();
        let rights = Rights { subscribe, ..Rights::default() };
        let choosing = found.iter().filter_map(|number| entered.get(number)).take(20);
        for (filter, _) in choosing.filter(|(filter, _)| rights.require_subscribe(filter).is_ok()) {
            assert!(allowed.matches(topic), "{filter:?} hears {topic:?} beyond {allowed:?}");
        }
    }
}
