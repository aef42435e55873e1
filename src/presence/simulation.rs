//! Visitors on several nodes: real records and engines, simulated pages, agents and faults. A seed draws it all, time
//! included, and repeats it exactly; see `store::shared::simulation`.
//!
//! [`people`] are the visitors and agents as the protocol lets them be; what they do is in [`play`], [`agents`] and
//! [`reactions`]. [`clockwork`] is the passing of time: leases, delays, outages. [`site`] hears everything, and [`must`] says what must hold, from design sections 2 and 3 alone:
//! * nobody is told gone while he has a living socket, or before the grace after the last one is over, unless he said
//!   good-bye; and who is gone is told so at the latest a lease, the grace and [`must::SLACK_MS`] after that;
//! * no event is older than one that was told before, and what watchers believe in the end is so;
//! * what was accepted has exactly one outcome, which everybody hears who hears of any; it is not lost by page changes;
//! * a signal for one page comes to no second one while the first has it, and to each tab's handler once;
//! * the record has the sockets of the pages that are there, and they know who has the focus.
//!
//! The sockets' side of `handle` is played thinly: a page's end is told once, a page that was refused ends, a watcher
//! hears events once its `Attach` was answered, and asks anew when its node missed something.

mod agents;
mod clockwork;
mod must;
mod people;
mod play;
mod reactions;
mod scenes;
mod site;

use self::play::Play;
use crate::store::shared::simulation::for_each_seed;

/// Seeds of the short form.
const USUALLY: u64 = 150;

#[test]
fn whatever_breaks_nobody_leaves_who_is_there_and_each_signal_has_one_outcome() {
    for_each_seed(USUALLY, |seed| Play::new(seed).run());
}
