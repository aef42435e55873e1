//! How much is enough: limiters that are told the time, and whom a limit counts for.
//!
//! [`Pace`] and [`Rate`] are the one algorithm (GCRA, the leaky bucket as a meter): eight bytes a limited thing, no lock.
//! [`Keyed`] keeps a pace for each of many keys, bounded; [`Tries`] is a pace of what went wrong; [`Places`] counts what is
//! open at a time; [`Proxies`] finds a client's address.

mod address;
mod keyed;
mod places;
mod rate;
mod tries;

pub use self::{
    address::{ForwardedBy, ForwardedHeader, InvalidNetwork, Proxies, client_key},
    keyed::{Keyed, Meter},
    places::{Place, Places},
    rate::{Pace, Rate},
    tries::Tries,
};
