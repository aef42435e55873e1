use std::{collections::BTreeMap, sync::Arc};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    super::{Row, Sort},
    *,
};
use crate::{clock::Timestamp, model::error::Problem};

fn row(id: &str, data: &Value) -> Row {
    Row {
        visitorid: id.parse().unwrap(),
        anonymous: id.starts_with('~'),
        epoch: 1,
        sequence: 1,
        since: Timestamp(1_000),
        updated: Timestamp(2_000),
        sockets: 1,
        visibility: Some(Visibility::Visible),
        terms: None,
        help: None,
        data: serde_json::from_value(data.clone()).unwrap(),
    }
}

fn wants(filter: &Value, row: &Row) -> bool {
    Filter::from_json(filter).unwrap().matches(&Facts::of(row))
}

#[test]
fn each_clause_tells_who_is_meant() {
    let ada =
        row("ada", &json!({"url": "https://Shop/Cart?x", "cart": 2, "plan": "gold", "n": "7"}));
    for (filter, expected) in [
        (json!({}), true),
        (json!({"visitorid": "ada"}), true),
        (json!({"visitorid": "Ada"}), false),
        (json!({"visitorid": {"prefix": "a"}}), true),
        (json!({"url": {"contains": "/cart"}}), true),
        (json!({"url": {"prefix": "https://Shop/"}}), true),
        (json!({"url": {"prefix": "https://shop/"}}), false),
        (json!({"data.cart": 2}), true),
        (json!({"data.cart": "2.0"}), true),
        (json!({"data.cart": {"gte": 2, "lt": 3}}), true),
        (json!({"data.cart": {"gt": 2}}), false),
        (json!({"data.n": {"gt": 2}}), false),
        (json!({"data.plan": "gold"}), true),
        (json!({"data.phone": {"exists": false}}), true),
        (json!({"data.phone": "x"}), false),
        (json!({"text": "GOLD"}), true),
        (json!({"text": "da"}), true),
        (json!({"text": "silver"}), false),
        (json!({"anonymous": false, "transit": false, "visibility": "visible"}), true),
        (json!({"visibility": "hidden"}), false),
        (json!({"terms": "none"}), true),
        (json!({"since": {"after": 999, "before": 1001}}), true),
        (json!({"since": {"after": 1000}}), false),
        (json!({"updated": {"before": 2000}}), false),
    ] {
        assert_eq!(wants(&filter, &ada), expected, "{filter}");
    }
}

#[test]
fn what_is_no_filter_is_refused_by_field() {
    let field = |result: Result<Filter, Problem>| result.unwrap_err().field.unwrap();
    for (filter, expected) in [
        (json!([]), "filter"),
        (json!({"name": "ada"}), "filter.name"),
        (json!({"data.": 1}), "filter.data."),
        (json!({"visitorid": {"like": "a"}}), "filter.visitorid"),
        (json!({"visitorid": null}), "filter.visitorid"),
        (json!({"data.cart": {"gt": "many"}}), "filter.data.cart"),
        (json!({"data.cart": {"exists": 1}}), "filter.data.cart"),
        (json!({"since": 5}), "filter.since"),
        (json!({"since": {"after": -5}}), "filter.since"),
        (json!({"transit": "maybe"}), "filter.transit"),
        (json!({"visibility": "dim"}), "filter.visibility"),
        (json!({"text": "x".repeat(MAX_VALUE_CHARACTERS + 1)}), "filter.text"),
    ] {
        assert_eq!(field(Filter::from_json(&filter)), expected, "{filter}");
    }
    let many = (0..=MAX_CLAUSES).map(|n| (format!("data.k{n}"), json!("v")));
    let many = Value::from(many.collect::<serde_json::Map<_, _>>());
    assert_eq!(field(Filter::from_json(&many)), "filter");
    assert_eq!(field(Filter::from_query([("cart[gt]", "1")])), "cart");
}

#[test]
fn a_query_string_and_json_say_the_same() {
    let pairs = [("data.cart[gte]", "2"), ("url[contains]", "/Cart"), ("transit", "false")];
    let json = json!({"transit": false, "url": {"contains": "/cart"}, "data.cart": {"gte": 2.0}});
    assert_eq!(Filter::from_query(pairs).unwrap(), Filter::from_json(&json).unwrap());
    let twice = [("data.a[b]c", "1"), ("data.a[b]c", "1")];
    assert_eq!(
        Filter::from_query(twice).unwrap(),
        Filter::from_json(&json!({"data.a[b]c": "1"})).unwrap()
    );
}

#[test]
fn an_order_is_named_by_a_field() {
    for text in ["since", "-since", "updated", "visitorid", "-visitorid", "data.cart", "-data.a.b"]
    {
        assert_eq!(text.parse::<Sort>().unwrap().to_string(), text);
    }
    for text in ["", "-", "cart", "data.", "--since"] {
        assert_eq!(text.parse::<Sort>().unwrap_err().field.as_deref(), Some("sort"), "{text}");
    }
}

#[test]
fn rows_without_a_value_come_last_and_the_id_decides() {
    let rows = [
        row("a", &json!({})),
        row("b", &json!({"k": "x"})),
        row("c", &json!({"k": 10})),
        row("d", &json!({"k": 9.5})),
        row("e", &json!({"k": 10})),
    ];
    let sorted = |sort: &str| -> String {
        let sort: Sort = sort.parse().unwrap();
        let mut places: Vec<_> =
            rows.iter().map(|row| sort.place(&Facts::of(row), &Arc::new(row.clone()))).collect();
        places.sort_by(|one, other| sort.compare(one, other));
        places.iter().map(|place| place.row.visitorid.as_str()).collect()
    };
    assert_eq!(sorted("data.k"), "dceba");
    assert_eq!(sorted("-data.k"), "bceda");
    assert_eq!(sorted("-since"), "abcde");
    assert_eq!(sorted("-visitorid"), "edcba");
}

/// What a clause means, told without the types of the filter.
fn naive(field: &str, operator: &str, operand: &str, data: &BTreeMap<String, Value>) -> bool {
    let Some(value) = data.get(field) else { return operator == "exists" && operand == "false" };
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let number = || value.as_f64().zip(operand.parse().ok());
    match operator {
        "exists" => operand == "true",
        "eq" if value.is_number() => operand.parse().ok() == value.as_f64(),
        "eq" => text == operand,
        "prefix" => text.starts_with(operand),
        "contains" => text.to_lowercase().contains(&operand.to_lowercase()),
        "lt" => number().is_some_and(|(one, other)| one < other),
        "lte" => number().is_some_and(|(one, other)| one <= other),
        "gt" => number().is_some_and(|(one, other)| one > other),
        _ => number().is_some_and(|(one, other)| one >= other),
    }
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        "[aAbBéÉ1.]{0,3}".prop_map(Value::from),
        (-3i64..4).prop_map(Value::from),
        (-6i32..7).prop_map(|halves| Value::from(f64::from(halves) / 2.0)),
    ]
}

proptest! {
    #[test]
    fn a_filter_is_the_conjunction_of_its_clauses(
        data in prop::collection::btree_map("[ab]", scalar(), 0..3),
        clauses in prop::collection::vec(("[ab]", 0..9usize, scalar(), any::<bool>()), 0..4),
    ) {
        let mut pairs = Vec::new();
        let mut expected = true;
        for (field, operator, operand, flag) in clauses {
            let operator = ["eq", "prefix", "contains", "exists", "lt", "lte", "gt", "gte", "eq"][operator];
            let operand = match operator {
                "exists" => flag.to_string(),
                "lt" | "lte" | "gt" | "gte" => operand.as_f64().unwrap_or(1.5).to_string(),
                _ => operand.as_str().map_or_else(|| operand.to_string(), str::to_owned),
            };
            expected &= naive(&field, operator, &operand, &data);
            pairs.push((format!("data.{field}[{operator}]"), operand));
        }
        let pairs = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let filter = Filter::from_query(pairs).unwrap();
        let row = row("ada", &json!(data));
        prop_assert_eq!(filter.matches(&Facts::of(&row)), expected);
    }
}
