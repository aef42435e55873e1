//! What is believed at this moment, and what no longer: keys that are read again, issuers that are asked again,
//! revocations that outlive the process.

pub mod issuers;
pub mod keys;
pub mod revoker;
mod shared;
