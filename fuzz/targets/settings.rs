//! Settings: a file, and behind a line of four dashes the environment, a variable a line.

use std::{fs, path::PathBuf, sync::LazyLock};

use tempfile::TempDir;
use toml::{Table, Value};
use vestibule::settings::{Sources, load};

const ENVIRONMENT: &[u8] = b"\n----\n";
/// Longest that an error may be, besides a name that it repeats: as a path and in the sentence, with three bytes in place of
/// each that is no text.
const LONGEST_ERROR: usize = 1_000;
/// Shorter texts turn up in an error by chance.
const SHORTEST_SECRET: usize = 12;

pub fn run(bytes: &[u8]) {
    let told = tell(bytes);
    let all = String::from_utf8_lossy(bytes);
    let (file, environment) = parts(bytes);
    for secret in secrets(&String::from_utf8_lossy(file), &environment) {
        let is_elsewhere = all.matches(&secret).count() > 1 || !all.contains(&secret);
        assert!(
            secret.len() < SHORTEST_SECRET
                || is_elsewhere
                || !told.contains(&secret)
                || is_chance(bytes, &secret),
            "{told}"
        );
    }
}

/// The file, and the environment.
fn parts(bytes: &[u8]) -> (&[u8], Vec<(String, String)>) {
    let (file, environment) = bytes
        .windows(ENVIRONMENT.len())
        .position(|window| window == ENVIRONMENT)
        .map_or((bytes, &[][..]), |at| (&bytes[..at], &bytes[at + ENVIRONMENT.len()..]));
    let environment = String::from_utf8_lossy(environment)
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, text)| (format!("VESTIBULE_{name}"), text.to_owned()))
        .collect();
    (file, environment)
}

/// What is told of the settings: an error, or all that `Debug` shows.
fn tell(bytes: &[u8]) -> String {
    let (file, environment) = parts(bytes);
    let sources = Sources { file: Some(written(file)), environment, bind: None };
    match load(&sources) {
        Ok(settings) => {
            assert!(
                settings.server.workers >= 1
                    && settings.server.ping_min <= settings.server.ping_max
            );
            for group in settings.groups.iter() {
                assert_eq!(settings.groups.get(&group.id).map(|it| &it.id), Some(&group.id));
            }
            format!("{settings:?}")
        }
        Err(error) => {
            let error = error.to_string();
            assert!(
                error.contains(": ") && error.len() <= 6 * bytes.len() + LONGEST_ERROR,
                "{error}"
            );
            error
        }
    }
}

/// Whether an error's own words make the secret up: then it is there without the secret too.
fn is_chance(bytes: &[u8], secret: &str) -> bool {
    let secret = secret.as_bytes();
    let Some(at) = bytes.windows(secret.len()).position(|window| window == secret) else {
        return false;
    };
    let mut without = bytes.to_vec();
    without[at..at + secret.len()].fill(b'x');
    tell(&without).as_bytes().windows(secret.len()).any(|window| window == secret)
}

/// The text as a settings file, in a folder that is this thread's.
fn written(text: &[u8]) -> PathBuf {
    thread_local! {
        static FOLDER: LazyLock<TempDir> = LazyLock::new(|| TempDir::new().expect("a folder"));
    }
    FOLDER.with(|folder| {
        let path = folder.path().join("vestibule.toml");
        fs::write(&path, text).expect("a settings file");
        path
    })
}

/// What must be told nowhere.
fn secrets(file: &str, environment: &[(String, String)]) -> Vec<String> {
    let names = [
        "signing_key",
        "previous_signing_keys",
        "api_keys",
        "partner_key",
        "visitor_keys",
        "secrets",
    ];
    let mut found = Vec::new();
    let mut values: Vec<(String, Value)> =
        file.parse::<Table>().unwrap_or_default().into_iter().collect();
    while let Some((name, value)) = values.pop() {
        match value {
            Value::Table(table) => values.extend(table),
            Value::Array(list) => values.extend(list.into_iter().map(|item| (name.clone(), item))),
            Value::String(text) if names.contains(&name.as_str()) => found.push(text),
            _ => {}
        }
    }
    let of_environment = environment.iter().filter(|(name, _)| {
        names.iter().any(|secret| name.to_ascii_lowercase().ends_with(&format!("__{secret}")))
    });
    found.extend(of_environment.map(|(_, text)| text.clone()));
    found
}
