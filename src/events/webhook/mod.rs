//! Webhooks: each event of a group is posted to its endpoints, signed as Standard Webhooks are.
//!
//! * [`queue`] decides, pure: what is posted when, in which order, what is tried again, what is given up,
//! * [`backoff`] how long a pause takes,
//! * [`endpoint`] is one endpoint of a group: its queue, shared between those who publish and the one who posts,
//! * [`runner`] posts.

pub mod backoff;
pub mod endpoint;
pub mod queue;
pub mod runner;
