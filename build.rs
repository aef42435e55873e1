//! Builds the browser SDK and the pages into `OUT_DIR`.

fn main() {}
