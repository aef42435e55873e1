//! The query of a list of visitors: which, in which order, which page.

use utoipa::{
    IntoParams,
    openapi::{
        RefOr, Required, Schema,
        path::{Parameter, ParameterBuilder, ParameterIn, ParameterStyle},
        schema::{ObjectBuilder, Type},
    },
};

use super::paging;
use crate::{
    lists::page::{Cursor, PageQuery},
    model::{
        error::Problem,
        ids::Code,
        list::{Filter, MAX_VALUE_CHARACTERS, Sort},
        presence::MAX_KEY_CHARACTERS,
    },
};

/// Which visitors.
#[derive(Debug)]
pub struct ListParams {
    /// What the code has to lead to the visitor, if there is one.
    pub code: Option<Code>,
    /// Which page of whom.
    pub page: PageQuery,
}

impl ListParams {
    /// Takes a query's pairs apart. What is none of the few words is a clause of the filter.
    ///
    /// # Errors
    /// `badrequest` that names the field.
    pub fn read(pairs: &[(String, String)]) -> Result<Self, Problem> {
        let (mut limit, mut cursor, mut sort, mut uniqueid) = (None, None, None, None);
        let mut clauses = Vec::new();
        for (name, value) in pairs {
            let place = match name.as_str() {
                "limit" => &mut limit,
                "cursor" => &mut cursor,
                "sort" => &mut sort,
                "uniqueid" => &mut uniqueid,
                _ => {
                    clauses.push((name.as_str(), value.as_str()));
                    continue;
                }
            };
            if place.replace(value.as_str()).is_some() {
                return Err(Problem::field(name.as_str(), "must stand once"));
            }
        }
        // What is no number is as wrong as one that is too small.
        let limit = limit.map(|limit| limit.parse().unwrap_or_default());
        let page = PageQuery {
            filter: Filter::from_query(clauses)?,
            sort: sort.map_or(Ok(Sort::BY_VISITOR), str::parse)?,
            after: cursor.map(Cursor::read).transpose()?,
            limit: paging::limit(limit, paging::USUAL)?,
        };
        let code = uniqueid.map(str::parse).transpose();
        let code = code.map_err(|invalid: crate::model::ids::InvalidId| {
            Problem::field("uniqueid", format!("must be {}", invalid.rule))
        })?;
        Ok(Self { code, page })
    }
}

impl IntoParams for ListParams {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let usual = [
            parameter("limit", "At most so many; 100 when missing.", limit()),
            parameter(
                "cursor",
                "The `next` of the list before, asked for with the same `sort`.",
                pattern(Cursor::PATTERN).into(),
            ),
            parameter(
                "sort",
                "The order: `visitorid`, `since`, `updated`, `help` or `data.KEY`, with `-` before it for the greatest first; visitors \
                 without a value come last. `visitorid` when missing.",
                pattern(&format!(r"^-?(visitorid|since|updated|help|data\.{})$", key())).into(),
            ),
            parameter(
                "uniqueid",
                "Only the visitor whom this code leads to.",
                <Code as utoipa::PartialSchema>::schema(),
            ),
        ];
        usual.into_iter().chain(clauses()).collect()
    }
}

/// One parameter for each clause that a filter may have; those of the presence data by the form of their names.
fn clauses() -> Vec<Parameter> {
    let mut all = Vec::new();
    for (field, what) in [("visitorid", "visitor id"), ("url", "address of the page")] {
        for (operator, rule) in
            [("", "is"), ("[prefix]", "begins with"), ("[contains]", "contains, in any case,")]
        {
            let description = format!("Only visitors whose {what} {rule} this.");
            all.push(parameter(&format!("{field}{operator}"), &description, text()));
        }
    }
    let anywhere = "Only visitors in whose id or in any of whose values this is, in any case.";
    all.push(parameter("text", anywhere, text()));
    all.push(parameter("anonymous", "Only visitors without, or with, an id of the site.", flag()));
    all.push(parameter("transit", "Only visitors between two pages, or not.", flag()));
    all.push(parameter(
        "visibility",
        "Only visitors of whom a page can be seen, or none.",
        words(&["visible", "hidden"]),
    ));
    let terms = words(&["none", "displayed", "accepted", "declined"]);
    all.push(parameter("terms", "Only visitors who stand so with the terms.", terms));
    let help = words(&["none", "pending", "accepted"]);
    all.push(parameter("help", "Only visitors whose wish for help stands so.", help));
    for (field, what) in [("since", "became connected"), ("updated", "were last heard of")] {
        for operator in ["before", "after"] {
            let description =
                format!("Only visitors who {what} {operator} this, in Unix milliseconds.");
            all.push(parameter(&format!("{field}[{operator}]"), &description, time()));
        }
    }
    for (name, operators, what, value) in [
        (
            "data",
            r"(\[(eq|prefix|contains)\])?",
            "`data.KEY=text`: only visitors with this value of the presence data. Also `data.KEY[prefix]`, `data.KEY[contains]`.",
            text(),
        ),
        (
            "data_numbers",
            r"\[(lt|lte|gt|gte)\]",
            "`data.KEY[gte]=5`: only visitors with such a number. Also `lt`, `lte`, `gt`.",
            number(),
        ),
        (
            "data_exists",
            r"\[exists\]",
            "`data.KEY[exists]=true`: only visitors with such a value, or without.",
            flag(),
        ),
    ] {
        let names = pattern(&format!(r"^data\.{}{operators}$", key()));
        let clauses = ObjectBuilder::new()
            .property_names(Some(names))
            .additional_properties(Some(value))
            .build();
        all.push(parameter(name, what, clauses.into()));
    }
    all
}

fn parameter(name: &str, description: &str, schema: RefOr<Schema>) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .style(Some(ParameterStyle::Form))
        .explode(Some(true))
        .description(Some(description))
        .schema(Some(schema))
        .build()
}

fn limit() -> RefOr<Schema> {
    integer(1, paging::MOST)
}

fn time() -> RefOr<Schema> {
    integer(0, usize::MAX)
}

fn integer(least: usize, most: usize) -> RefOr<Schema> {
    let integer = ObjectBuilder::new().schema_type(Type::Integer);
    integer.minimum(Some(least)).maximum(Some(most)).build().into()
}

fn number() -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::Number).build().into()
}

fn flag() -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::Boolean).build().into()
}

fn words(words: &[&str]) -> RefOr<Schema> {
    let values = Some(words.iter().copied());
    ObjectBuilder::new().schema_type(Type::String).enum_values(values).build().into()
}

fn text() -> RefOr<Schema> {
    let longest = Some(MAX_VALUE_CHARACTERS);
    ObjectBuilder::new().schema_type(Type::String).max_length(longest).build().into()
}

fn pattern(pattern: &str) -> Schema {
    ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern)).build().into()
}

/// A key of the presence data, as a pattern.
fn key() -> String {
    format!(r"[^\[\]]{{1,{MAX_KEY_CHARACTERS}}}")
}
