//! The routes that there are, so that no test forgets one.

use std::{fs, path::Path};

/// Method and path of each, as the sources name them by their attributes: `("GET", "/v1/groups/{group}/visitors")`.
pub fn of_the_sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut folders, mut found) = (vec![root.join("http"), root.join("facades")], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            for line in text.lines() {
                // Where one function serves several addresses, the one that is documented.
                let described = line.strip_prefix("#[utoipa::path(");
                let described = described.and_then(|line| line.split_once(", path = \""));
                let attribute = || line.strip_prefix("#[").and_then(|line| line.split_once("(\""));
                let attribute = described.or_else(attribute);
                if let Some((method, rest)) = attribute
                    && ["get", "post", "put", "patch", "delete"].contains(&method)
                {
                    // The documents name a parameter without the rule that its text has to keep.
                    let path = rest.split('"').next().unwrap().replace(":[0-9]+}", "}");
                    found.push((method.to_uppercase(), path));
                }
            }
        }
    }
    found.sort();
    found
}
