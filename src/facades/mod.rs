//! Facades: other products' public interfaces on our core. Each translates, and decides nothing.

pub mod channelme;
pub mod genesys;
pub mod glance;
pub mod oracle;
pub mod upscope;
