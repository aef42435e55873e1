//! Lays file, environment and flags over each other and reads the result.
//!
//! The environment knows only text, so the tree of defaults says what a variable's text is read as; a number
//! that stands in the file as text stays an error.

use std::path::Path;

use toml::{Table, Value};

use super::{SettingsError, Sources, wire};

const PREFIX: &str = "VESTIBULE_";

pub(super) fn read(sources: &Sources) -> Result<wire::Wire, SettingsError> {
    let mut tree = match &sources.file {
        Some(path) => read_file(path)?,
        None => Table::new(),
    };
    let auth = wire::Auth {
        keys: vec![wire::Key::default()],
        issuers: vec![wire::Issuer::default()],
        ..Default::default()
    };
    let group = wire::Group { webhooks: vec![wire::Webhook::default()], ..Default::default() };
    let defaults = wire::Wire { auth, groups: vec![group], ..Default::default() };
    let defaults = Value::try_from(defaults).unwrap_or(Value::Table(Table::new()));
    let mut tree = Value::Table(std::mem::take(&mut tree));
    for (variable, path, text) in variables(&sources.environment) {
        set(&mut tree, &defaults, &path, text)
            .map_err(|rule| SettingsError::key(variable, rule))?;
    }
    if let Some(bind) = &sources.bind {
        let path = ["server".to_owned(), "bind".to_owned()];
        set(&mut tree, &defaults, &path, bind)
            .map_err(|rule| SettingsError::key("--bind", rule))?;
    }
    serde_path_to_error::deserialize(tree).map_err(|error| {
        let key = error.path().to_string();
        SettingsError::key(key, rule_of(error.inner().message()))
    })
}

fn read_file(path: &Path) -> Result<Table, SettingsError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| SettingsError::Unreadable { path: path.into(), error })?;
    // The error's own display quotes the line, which may hold a secret.
    text.parse::<Table>().map_err(|error| SettingsError::Syntax {
        path: path.into(),
        line: error
            .span()
            .and_then(|span| text.get(..span.start))
            .map_or(1, |before| before.matches('\n').count() + 1),
        message: error.message().to_owned(),
    })
}

/// The variables that name a setting, `VESTIBULE_SECTION__KEY`, lists in the order of their indexes. Others are
/// left alone: Kubernetes gives each pod a `VESTIBULE_PORT` when there is a service of our name. An empty
/// variable counts as absent.
fn variables(environment: &[(String, String)]) -> Vec<(&str, Vec<String>, &str)> {
    let mut found: Vec<_> = environment
        .iter()
        .filter_map(|(variable, text)| {
            let path = variable.strip_prefix(PREFIX).filter(|path| path.contains("__"))?;
            let path = path.split("__").map(str::to_ascii_lowercase).collect::<Vec<_>>();
            (!text.is_empty()).then_some((variable.as_str(), path, text.as_str()))
        })
        .collect();
    found.sort_by_cached_key(|(_, path, _)| {
        path.iter().map(|part| (part.len(), part.clone())).collect::<Vec<_>>()
    });
    found
}

fn set(tree: &mut Value, defaults: &Value, path: &[String], text: &str) -> Result<(), String> {
    let Some((part, rest)) = path.split_first() else {
        *tree = value_like(defaults, text)?;
        return Ok(());
    };
    match tree {
        Value::Table(table) => {
            let unknown = Value::String(String::new());
            let defaults = match defaults.get(part.as_str()) {
                Some(defaults) => defaults,
                None if rest.is_empty() => &unknown,
                None => return Err("there is no such setting".into()),
            };
            let child = table.entry(part.clone()).or_insert_with(|| match defaults {
                Value::Table(_) => Value::Table(Table::new()),
                Value::Array(_) => Value::Array(Vec::new()),
                _ => unknown.clone(),
            });
            set(child, defaults, rest, text)
        }
        Value::Array(list) => {
            let index: usize = part.parse().map_err(|_| format!("{part} is not an index"))?;
            let Some(defaults) = defaults.get(0) else {
                return Err("give the whole list in one variable, items between commas".into());
            };
            if index == list.len() {
                list.push(Value::Table(Table::new()));
            }
            let child = list.get_mut(index).ok_or("indexes start at 0 and leave no gap")?;
            set(child, defaults, rest, text)
        }
        _ => Err("there is no such setting".into()),
    }
}

fn value_like(default: &Value, text: &str) -> Result<Value, String> {
    Ok(match default {
        Value::Integer(_) => Value::Integer(text.parse().map_err(|_| "must be a whole number")?),
        Value::Boolean(_) => Value::Boolean(text.parse().map_err(|_| "must be true or false")?),
        Value::Array(list) if list.is_empty() => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Value::Array(items.map(|item| Value::String(item.into())).collect())
        }
        Value::Array(_) | Value::Table(_) => {
            return Err("this names a section, not a setting".into());
        }
        _ => Value::String(text.into()),
    })
}

/// Makes serde's message one about settings, without the value that it quotes.
fn rule_of(message: &str) -> String {
    let quoting = ["invalid type", "invalid value", "unknown variant"];
    let quotes = quoting.iter().any(|kind| message.starts_with(kind));
    let expected = match message.rsplit_once(", expected ") {
        Some((_, expected)) if quotes => expected,
        _ => return message.trim_end().to_owned(),
    };
    let expected = match expected.trim_end() {
        "u64" => "a whole number, 0 or more",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        other if other.starts_with("struct") => "a section",
        other => other,
    };
    format!("must be {expected}")
}
