//! `docs/security.md` names a test for each threat; here it is checked that they exist.

use std::{fs, path::Path};

#[test]
fn each_threat_names_tests_that_exist() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let page = fs::read_to_string(docs.join("security.md")).unwrap();
    let table = page.split("## Threats").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows: Vec<_> = table.lines().filter(|line| line.starts_with("| **")).collect();
    assert!(rows.len() > 20, "{} rows", rows.len());
    for row in rows {
        let tests = row.trim_end_matches('|').rsplit(" | ").next().unwrap();
        let mut named = 0;
        for link in tests.split("), ") {
            let (name, file) = link.trim().split_once("](").unwrap_or_else(|| panic!("{row}"));
            let (name, file) = (name.trim_matches(['[', '`']), file.trim_end_matches(')'));
            let text = fs::read_to_string(docs.join(file));
            let text = text.unwrap_or_else(|error| panic!("{file}: {error}"));
            // Those of the browser's side are named by sentences.
            let is_there = if file.ends_with(".ts") {
                text.contains(&format!("(\"{name}\""))
            } else {
                text.contains(&format!("fn {name}("))
            };
            assert!(is_there, "{file} has no test {name}");
            named += 1;
        }
        assert!(named > 0, "{row}");
    }
}
