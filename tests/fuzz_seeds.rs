//! The short form of fuzzing, for every compiler: each target on each of its seeds, whole and cut short.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

#[path = "../fuzz/targets/mod.rs"]
mod targets;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    thread,
};

/// Places at which a seed is cut.
const CUTS: usize = 40;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn entries(folder: &str) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(fuzz().join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// Tells which seed it was, when the target panics.
struct Running<'a>(&'a Path, usize);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("found by the first {} bytes of {}", self.1, self.0.display());
        }
    }
}

fn replay(target: targets::Target, seed: &Path) {
    let bytes = fs::read(seed).unwrap();
    let cuts = (0..CUTS).map(|part| bytes.len() * part / CUTS).collect::<BTreeSet<_>>();
    for end in cuts.into_iter().chain([bytes.len()]) {
        let _running = Running(seed, end);
        target(&bytes[..end]);
    }
}

#[test]
fn every_seed_passes_whole_and_cut_short() {
    thread::scope(|scope| {
        for (name, target) in targets::ALL {
            let seeds = entries(&format!("seeds/{name}"));
            assert!(!seeds.is_empty(), "{name} has no seeds");
            let replay_all = move || seeds.iter().for_each(|seed| replay(*target, seed));
            thread::Builder::new()
                .name((*name).to_owned())
                .spawn_scoped(scope, replay_all)
                .unwrap();
        }
    });
}

#[test]
fn every_target_has_a_fuzzer_and_seeds_and_nothing_else_has() {
    let listed: BTreeSet<_> = targets::ALL.iter().map(|(name, _)| (*name).to_owned()).collect();
    let stem = |path: &PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    for folder in ["fuzz_targets", "seeds"] {
        let found: BTreeSet<_> = entries(folder).iter().map(stem).collect();
        assert_eq!(found, listed, "{folder}");
    }
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let built = manifest["bin"].as_array().unwrap().iter();
    let built: BTreeSet<_> = built.map(|bin| bin["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(built, listed);
}
