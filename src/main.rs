//! Arguments to settings to app; nothing else.

fn main() {}
