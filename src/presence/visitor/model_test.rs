//! The record against a naive model: random lives of a visitor, checked at every step.
//!
//! * [`model`] says by the rules of design sections 2 and 3 what must come,
//! * [`harness`] plays a life to both,
//! * [`compare`] holds the one against the other.

mod compare;
mod harness;
mod model;
mod replay;
mod signals;

use proptest::prelude::*;

use self::harness::Harness;
use super::Rules;
use crate::clock::Timestamp;

/// When the lives begin.
const START: u64 = 1_700_000_000_000;

/// What happens next in a life. Pages are named by their tab; what is asked of a tab without a page is asked of the last
/// page that it had.
#[derive(Clone, Debug)]
enum Happening {
    Connect {
        tab: u8,
        node: u32,
        visible: bool,
        listening: bool,
        seen: bool,
        data: Option<(u8, u8)>,
        /// How long ago its socket was accepted, in ms; by a clock that is ahead: how long from now.
        late: i64,
    },
    Close {
        tab: u8,
    },
    Disconnect {
        tab: u8,
    },
    /// The socket of a page is closed that was superseded from another node.
    GhostCloses {
        index: usize,
    },
    Listen {
        tab: u8,
    },
    Visibility {
        tab: u8,
        visible: bool,
    },
    Activity {
        tab: u8,
    },
    Presence {
        tab: u8,
        key: u8,
        value: u8,
    },
    Terms {
        tab: u8,
    },
    /// The first so many of the signals that the tab's page was sent, or any that is open.
    Acknowledge {
        tab: u8,
        count: usize,
    },
    Failed {
        index: usize,
    },
    Signal {
        count: usize,
        all: bool,
        sender: Sender,
        big: bool,
    },
    /// A sender tries an earlier signal again, from another socket.
    Retry {
        index: usize,
    },
    Join {
        tab: u8,
    },
    Attach,
    UniqueExpired,
    NodeLost {
        node: u32,
    },
    Nothing,
}

#[derive(Clone, Copy, Debug)]
enum Sender {
    Nobody,
    /// An agent's socket on a node that is never lost.
    Agent,
    /// An agent's socket on node 1.
    OnNodeOne,
}

#[derive(Clone, Debug)]
enum Wait {
    Milliseconds(u64),
    /// Until the record says that something is due.
    Deadline,
}

#[derive(Clone, Debug)]
struct Step {
    wait: Wait,
    happening: Happening,
    /// Save and load the record before.
    reload: bool,
}

fn happenings() -> impl Strategy<Value = Happening> {
    let tab = 0..4_u8;
    let connect = (
        tab.clone(),
        1..3_u32,
        prop::bool::weighted(0.7),
        prop::bool::weighted(0.8),
        any::<bool>(),
        prop::option::weighted(0.2, (0..3_u8, any::<u8>())),
        prop_oneof![8 => Just(0_i64), 1 => -50..50_i64, 2 => 0..5_000_i64],
    );
    let connect = connect.prop_map(|(tab, node, visible, listening, seen, data, late)| {
        Happening::Connect { tab, node, visible, listening, seen, data, late }
    });
    let sender = prop_oneof![Just(Sender::Nobody), Just(Sender::Agent), Just(Sender::OnNodeOne)];
    let count = prop_oneof![12 => Just(1_usize), 4 => 2..6_usize, 1 => 28..40_usize];
    let signal = (count, prop::bool::weighted(0.25), sender, prop::bool::weighted(0.03));
    let signal =
        signal.prop_map(|(count, all, sender, big)| Happening::Signal { count, all, sender, big });
    let t = tab.clone();
    prop_oneof![
        24 => connect,
        12 => t.prop_map(|tab| Happening::Close { tab }),
        3 => tab.clone().prop_map(|tab| Happening::Disconnect { tab }),
        6 => (0..8_usize).prop_map(|index| Happening::GhostCloses { index }),
        2 => tab.clone().prop_map(|tab| Happening::Listen { tab }),
        6 => (tab.clone(), any::<bool>()).prop_map(|(tab, visible)| Happening::Visibility { tab, visible }),
        4 => tab.clone().prop_map(|tab| Happening::Activity { tab }),
        3 => (tab.clone(), 0..3_u8, any::<u8>())
            .prop_map(|(tab, key, value)| Happening::Presence { tab, key, value }),
        1 => tab.clone().prop_map(|tab| Happening::Terms { tab }),
        8 => (tab.clone(), 1..4_usize).prop_map(|(tab, count)| Happening::Acknowledge { tab, count }),
        2 => (0..8_usize).prop_map(|index| Happening::Failed { index }),
        24 => signal,
        2 => (0..8_usize).prop_map(|index| Happening::Retry { index }),
        1 => tab.prop_map(|tab| Happening::Join { tab }),
        4 => Just(Happening::Attach),
        1 => Just(Happening::UniqueExpired),
        4 => (1..3_u32).prop_map(|node| Happening::NodeLost { node }),
        4 => Just(Happening::Nothing),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let wait = prop_oneof![
        8 => Just(Wait::Milliseconds(0)),
        6 => (1..1_000_u64).prop_map(Wait::Milliseconds),
        4 => (1_000..6_000_u64).prop_map(Wait::Milliseconds),
        1 => prop_oneof![Just(4_999), Just(5_000), Just(59_999), Just(60_000), Just(600_000_u64)]
            .prop_map(Wait::Milliseconds),
        5 => Just(Wait::Deadline),
    ];
    let step = (wait, happenings(), prop::bool::weighted(0.2));
    let step = step.prop_map(|(wait, happening, reload)| Step { wait, happening, reload });
    prop::collection::vec(step, 1..50)
}

fn rules() -> impl Strategy<Value = Rules> {
    let times = prop_oneof![
        4 => Just((5_000, 5_000, 5_000)),
        1 => Just((0, 5_000, 5_000)),
        1 => Just((5_000, 0, 5_000)),
        1 => Just((0, 0, 5_000)),
        1 => Just((5_000, 60_000, 5_000)),
        1 => Just((5_000, 1_000, 2_000)),
        1 => Just((1_000, 5_000, 8_000)),
    ];
    (times, prop::option::weighted(0.2, 1..8_000_u64)).prop_map(
        |((grace_ms, signal_window_ms, ack_ms), unknown)| Rules {
            grace_ms,
            signal_window_ms,
            ack_ms,
            unknown_until: Timestamp(unknown.map_or(0, |unknown| START + unknown)),
            ..Rules::USUAL
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_visitors_life_follows_the_rules(rules in rules(), steps in steps()) {
        let mut harness = Harness::new(rules);
        for step in steps {
            harness.play(step);
        }
        harness.end();
    }
}
