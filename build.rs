//! Builds the browser SDK and the pages into `OUT_DIR`, where the server embeds them from.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, exit},
};

fn main() {
    let sdk = Path::new("sdk");
    println!("cargo::rerun-if-changed=build.rs");
    for entry in ["package.json", "package-lock.json", "build.mjs", "tsconfig.json"] {
        println!("cargo::rerun-if-changed={}", sdk.join(entry).display());
    }
    for folder in ["core", "visitor", "agent", "cobrowse", "facades", "pages"] {
        println!("cargo::rerun-if-changed={}", sdk.join(folder).display());
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("web");
    if needs_packages(sdk) {
        run("npm", &["ci", "--no-audit", "--no-fund", "--loglevel=error"], sdk);
    }
    let out = out.to_string_lossy().into_owned();
    run("node", &["build.mjs", "--out", &out], sdk);
}

/// Whether the packages that the SDK's build needs are missing or older than their lock file.
fn needs_packages(sdk: &Path) -> bool {
    let age = |path: PathBuf| path.metadata().and_then(|file| file.modified()).ok();
    let installed = age(sdk.join("node_modules/.package-lock.json"));
    installed.is_none() || installed < age(sdk.join("package-lock.json"))
}

/// Runs a command of Node's; ends the build with a word on what to install where that fails.
fn run(program: &str, arguments: &[&str], folder: &Path) {
    let failed = match Command::new(program).args(arguments).current_dir(folder).status() {
        Ok(status) if status.success() => return,
        Ok(status) => format!("`{program} {}` in sdk/ ended with {status}", arguments.join(" ")),
        Err(error) => format!("{program} could not be run: {error}"),
    };
    println!("cargo::error=the browser SDK could not be built: {failed}");
    println!(
        "cargo::error=it needs Node.js 20 or later with npm (Debian: apt-get install nodejs npm)"
    );
    exit(1);
}
