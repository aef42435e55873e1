//! The rules of design sections 2 and 3, one test a rule; the names say which.

mod chat;
mod codes;
mod dismissed;
mod help;
mod identity;
mod presence;
mod scene;
mod signals;
mod tabs;
mod watchers;
