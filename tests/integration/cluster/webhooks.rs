//! A group's events by webhook, when nodes that have one database end and begin.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::support::{
    Server, Stop,
    postgres::Database,
    receiver::{Receiver, SECRET, status},
    until,
};

#[tokio::test]
async fn what_waits_on_several_nodes_outlives_the_end_of_all() {
    let Some(database) = Database::create().await else { return };
    let well = Arc::new(AtomicBool::new(false));
    let is_well = Arc::clone(&well);
    let mut receiver = Receiver::answering(move |_| {
        status(if is_well.load(Ordering::Relaxed) { 200 } else { 503 })
    })
    .await;
    let nodes = Server::nodes_with(&[
        ("storage.url", &database.url),
        ("presence.grace_ms", "60000"),
        ("groups.0.webhooks.0.url", &receiver.url()),
        ("groups.0.webhooks.0.secrets", SECRET),
        ("events.webhook_retry_first_ms", "20"),
        ("events.webhook_retry_most_ms", "100"),
    ]);
    let Some([mut first, mut second, third]) = nodes else { return database.remove().await };
    let pages = [first.page("ada", "t").opens().await, second.page("bob", "t").opens().await];
    for node in [&mut first, &mut second] {
        until("an event that waits", || node.figure("webhooks_waiting") >= 1.0).await;
        node.signal(Stop::Terminate);
        assert!(node.ended().success(), "{}", node.log());
    }
    drop(pages);
    assert_eq!(third.figure("webhooks_waiting"), 0.0);

    let first = first.restarted(Stop::Terminate);
    well.store(true, Ordering::Relaxed);
    let mut entered = Vec::new();
    while !["ada", "bob"].iter().all(|visitor| entered.contains(&(visitor.to_string(), 1))) {
        let delivery = receiver.taken().await;
        delivery.verify(SECRET);
        entered.push((delivery.visitor().to_owned(), delivery.sequence()));
    }
    until("all are taken", || first.figure("webhooks_waiting") == 0.0).await;
    drop((first, second, third));
    database.remove().await;
}
