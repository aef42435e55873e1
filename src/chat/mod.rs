//! Chat: a visitor and an agent write to each other, and agents are available for a site's buttons.
//!
//! [`conversation`] is all rules of a visitor's chat, pure; [`staff`] likewise the agents of a group and what they are
//! available for. `board` is what the agents of a group look at, `buttons` what its pages look at. [`handle`] is what
//! sockets, HTTP and facades call, and turns effects into messages; [`saving`] carries both over a restart.

mod board;
mod buttons;
pub mod conversation;
pub mod handle;
pub mod saving;
pub mod staff;
