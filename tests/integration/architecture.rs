//! Dependencies point one way (design section 11), by the sources' own `use` lines.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Each module knows only those before it.
const ORDER: &[&str] = &[
    "clock",
    "model",
    "limits",
    "auth",
    "telemetry",
    "reload",
    "tls",
    "outbound",
    "store",
    "codes",
    "settings",
    "trust",
    "presence",
    "lists",
    "events",
    "topics",
    "cobrowse",
    "chat",
    "sockets",
    "http",
    "bayeux",
    "facades",
    "app",
    "cli",
];

fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut folders, mut files) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                files.push((path.strip_prefix(&root).unwrap().to_owned(), text));
            }
        }
    }
    files.sort();
    files
}

/// The module that a file belongs to: the first part of its path.
fn module(path: &Path) -> String {
    let first = path.components().next().unwrap().as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").trim_end_matches("_tests").to_owned()
}

/// Every module that a source names by `crate::`, in a `use` tree or in the middle of the code.
fn named(text: &str) -> Vec<String> {
    let code: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n");
    let mut found = Vec::new();
    for after in code.split("crate::").skip(1) {
        if let Some(tree) = after.strip_prefix('{') {
            found.extend(first_level(tree));
        } else {
            found.push(word(after));
        }
    }
    found
}

/// The first words of a `use` tree's branches.
fn first_level(tree: &str) -> Vec<String> {
    let (mut depth, mut found, mut begins) = (0, Vec::new(), true);
    for (at, character) in tree.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => begins = true,
            _ if begins && depth == 0 && character.is_alphabetic() => {
                found.push(word(&tree[at..]));
                begins = false;
            }
            _ => {}
        }
    }
    found
}

fn word(text: &str) -> String {
    text.chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect()
}

#[test]
fn use_trees_are_read() {
    let text = "use crate::{\n    auth::{Mode, is_x},\n    http,\n};\nuse crate::model::ids;\nfn f() { crate::store::g() }\n// crate::app\n";
    assert_eq!(named(text), ["auth", "http", "model", "store"]);
}

#[test]
fn dependencies_point_one_way() {
    let place: BTreeMap<_, _> =
        ORDER.iter().enumerate().map(|(place, name)| (*name, place)).collect();
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let own = module(&path);
        if own == "main" || own == "lib" {
            continue;
        }
        let Some(own_place) = place.get(own.as_str()) else {
            wrong.push(format!("{own} has no place in the order"));
            continue;
        };
        for other in named(&text) {
            match place.get(other.as_str()) {
                Some(other_place) if other_place > own_place => {
                    wrong.push(format!("{} uses {other}, which comes after it", path.display()));
                }
                Some(_) => {}
                None => wrong.push(format!("{} uses {other}, which has no place", path.display())),
            }
            if other == "facades" && own != "app" && own != "facades" {
                wrong.push(format!("{} uses facades; only app may", path.display()));
            }
            if other == "app" && own != "app" {
                wrong.push(format!("{} uses app; nobody may", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_map_lists_the_modules_in_their_order() {
    let map = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let listed: Vec<_> =
        map.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    let expected: Vec<_> = ORDER.iter().copied().filter(|name| listed.contains(name)).collect();
    assert_eq!(listed, expected);
}

#[test]
fn no_products_name_outside_facades() {
    let products =
        ["glance", "genesys", "oracle", "upscope", "channelme", "channel.me", "purecloud"];
    let mut found = Vec::new();
    for (path, text) in sources() {
        // The composition root mounts the facades, and the settings switch them. The namespace of what may be invoked is
        // the one name that the core knows (design section 3.6).
        let own = module(&path);
        if ["facades", "app"].contains(&own.as_str()) || path == Path::new("model/signal.rs") {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let allowed = line.to_lowercase().replace("glance.", "").replace(r"glance\.", "");
            let switches = if own == "settings" {
                &["glance", "genesys", "oracle", "upscope", "channelme", "channel.me"][..]
            } else {
                &[]
            };
            let allowed = switches.iter().fold(allowed, |line, switch| line.replace(switch, ""));
            if let Some(product) = products.iter().find(|product| allowed.contains(**product)) {
                found.push(format!(
                    "{}:{}: {product}: {}",
                    path.display(),
                    number + 1,
                    line.trim()
                ));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
