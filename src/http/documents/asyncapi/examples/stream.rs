//! What the two ends of a stream are sent.

use super::{
    Example, example,
    values::{SESSION, agent, told},
};
use crate::model::{
    cobrowse::{ConsentState, PageView, Permissions, Role, UserId, ViewState},
    ids::InvalidId,
    protocol::{
        stream::{Mark, MarkOf, Seat, StreamWelcome, ToStream},
        visitor::ToVisitor,
    },
};

/// To the two ends of a stream.
pub fn to_stream() -> Vec<Example> {
    to_stream_checked().unwrap_or_default()
}

fn to_stream_checked() -> Result<Vec<Example>, InvalidId> {
    let (x, y) = (Some(120.5), Some(300.0));
    let mark = |mark| MarkOf { user: UserId(2), name: "Ann".into(), mark };
    let page = PageView {
        epoch: 3,
        tab: "t8Xq2".parse()?,
        url: "https://shop.example.com/cart".into(),
        title: "Basket".into(),
        shown: true,
    };
    let seat = Seat {
        user: UserId(2),
        visitorid: "ada".parse()?,
        view: ViewState::Off,
        consent: ConsentState::Asked,
        pages: vec![page],
        members: vec![agent()],
        permissions: Permissions::ALL,
        ticket: "eyJ0aWNrZXQiOnt9fQ.c2VhbA".to_owned(),
        assets: "8c6976e5b5410415bde908bd4dee15df".to_owned(),
    };
    let welcome = |role, epoch, max_message_bytes, seat| {
        let welcome = StreamWelcome { role, session: SESSION, epoch, max_message_bytes, seat };
        ToStream::Welcome(Box::new(welcome))
    };
    let sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae".to_owned();
    let own = [
        (Some("to a page"), welcome(Role::Customer, Some(3), Some(4_194_304), None)),
        (Some("to a viewer"), welcome(Role::Agent, None, None, Some(seat))),
        (None, ToStream::KeyFrame),
        (None, ToStream::Want { sha256 }),
        (None, ToStream::Gap { epoch: 3 }),
        (None, ToStream::Degraded { degraded: true }),
        (None, ToStream::Ok { request: 11, degraded: false }),
    ];
    let (stroke, colour, done) = (1, "#e4572e".into(), false);
    let points = vec![[10.0, 20.0], [12.5, 24.0]];
    let marks = [
        mark(Mark::Cursor { x, y }),
        mark(Mark::Spotlight { x, y }),
        mark(Mark::Stroke { stroke, colour, points, done }),
    ];
    let own = own.iter().filter_map(|(name, message)| example(*name, message));
    let marks = marks.iter().filter_map(|mark| example(None, mark));
    Ok(own.chain(marks).chain(example(None, &ToVisitor::SessionEvent(Box::new(told())))).collect())
}
