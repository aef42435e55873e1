use proptest::prelude::*;

use super::*;

#[derive(Deserialize)]
struct Fixture {
    matches: Vec<(String, String, bool)>,
    pages: Vec<(String, String, bool)>,
    filters: Examples,
    topics: Examples,
    covers: Vec<(String, String, bool)>,
}

#[derive(Deserialize)]
struct Examples {
    valid: Vec<String>,
    invalid: Vec<String>,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("../../../tests/fixtures/topic-filters.json")).unwrap()
}

fn filter(text: &str) -> TopicFilter {
    text.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

fn topic(text: &str) -> Topic {
    text.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

#[test]
fn filters_choose_topics_as_mqtt_says() {
    for (pattern, name, expected) in fixture().matches {
        assert_eq!(filter(&pattern).matches(&topic(&name)), expected, "{pattern:?} {name:?}");
    }
}

#[test]
fn filters_cover_filters() {
    for (wide, narrow, expected) in fixture().covers {
        assert_eq!(filter(&wide).covers(&filter(&narrow)), expected, "{wide:?} {narrow:?}");
    }
}

#[test]
fn what_is_no_filter_or_topic_is_refused() {
    let Fixture { filters, topics, .. } = fixture();
    filters.valid.iter().for_each(|text| drop(filter(text)));
    topics.valid.iter().for_each(|text| drop(topic(text)));
    for text in filters.invalid {
        assert!(text.parse::<TopicFilter>().is_err(), "{text:?}");
    }
    for text in topics.invalid {
        assert!(text.parse::<Topic>().is_err(), "{text:?}");
    }
}

#[test]
fn topics_of_a_page_stay_there() {
    for (pattern, name, _) in fixture().pages {
        assert!(name.parse::<Topic>().is_err(), "{name:?}");
        assert_eq!(
            pattern.parse::<TopicFilter>().is_err(),
            pattern.starts_with('~'),
            "{pattern:?}"
        );
    }
}

#[test]
fn lengths_are_bounded() {
    let longest = "a".repeat(MAX_BYTES);
    assert!(longest.parse::<Topic>().is_ok() && format!("{longest}a").parse::<Topic>().is_err());
    let deepest = "/".repeat(MAX_LEVELS - 1);
    assert!(deepest.parse::<TopicFilter>().is_ok());
    assert!(format!("{deepest}/").parse::<TopicFilter>().is_err());
}

#[test]
fn errors_name_the_rule() {
    let rule = |text: &str| text.parse::<TopicFilter>().unwrap_err().to_string();
    assert_eq!(rule("a/#/b"), "filter must be a filter in which # stands alone in the last level");
    assert!(rule("~/a").contains("topics of a page"), "{}", rule("~/a"));
}

fn filters() -> impl Strategy<Value = TopicFilter> {
    "(\\$|)(a|b|\\+|)(/(a|b|\\+|)){0,2}(/#)?|#"
        .prop_filter_map("no filter", |text| text.parse().ok())
}

/// Every topic of up to five levels in words that filters name, or do not name.
fn some_topics() -> Vec<Topic> {
    let mut texts: Vec<String> =
        ["a", "b", "z", "", "$", "$a", "$b", "$z"].map(String::from).into();
    for start in 0..4 {
        let longer = texts.iter().filter(|text| text.matches('/').count() == start);
        let longer: Vec<_> = longer
            .flat_map(|text| ["a", "b", "z", ""].map(|word| format!("{text}/{word}")))
            .collect();
        texts.extend(longer);
    }
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

proptest! {
    #[test]
    fn covering_is_choosing_all_that_the_other_does(wide in filters(), narrow in filters()) {
        let chosen = some_topics();
        let all = chosen.iter().filter(|topic| narrow.matches(topic)).all(|topic| wide.matches(topic));
        prop_assert_eq!(wide.covers(&narrow), all, "{:?} {:?}", wide, narrow);
    }

    #[test]
    fn what_a_filter_chooses_begins_with_its_prefix(filter in filters()) {
        for topic in some_topics().iter().filter(|topic| filter.matches(topic)) {
            prop_assert!(topic.as_str().starts_with(filter.prefix()), "{:?} {:?}", filter, topic);
        }
    }
}
