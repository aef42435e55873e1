//! How long a signal takes from an agent on one node to a visitor on another, beside one node alone. By hand:
//! `make latency` with nothing else on the machine.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Server, soon};

const A_SECOND: u32 = 1_000;
const SECONDS: u32 = 5;
const VISITORS: usize = 50;

/// From the moment at which each signal was to be sent to that at which its page had it, in order.
async fn measure(from: &Server, to: &Server) -> Vec<Duration> {
    let mut agent = from.agent().await;
    let mut pages = Vec::new();
    for number in 0..VISITORS {
        pages.push(to.page(&format!("v{number}"), "t").opens().await);
    }
    let begun = Instant::now();
    let share = A_SECOND as usize * SECONDS as usize / VISITORS;
    let due = move |number: u32| begun + Duration::from_secs(1) * number / A_SECOND;
    let readers = pages.into_iter().map(|mut page| {
        tokio::task::spawn_local(async move {
            let mut times = Vec::with_capacity(share);
            for _ in 0..share {
                let signal = page.hear_a("signal").await;
                let number = u32::try_from(signal["data"].as_u64().unwrap()).unwrap();
                times.push(due(number).elapsed());
                page.say(json!({"type": "ack", "ids": [signal["id"]]})).await;
            }
            times
        })
    });
    let readers: Vec<_> = readers.collect();
    for number in 0..A_SECOND * SECONDS {
        tokio::time::sleep_until(due(number).into()).await;
        let visitor = format!("v{}", number as usize % VISITORS);
        agent.say(json!({"type": "signal", "visitorid": visitor, "data": number})).await;
    }
    let mut times = Vec::new();
    for reader in readers {
        times.extend(soon("all signals", reader).await.unwrap());
    }
    times.sort_unstable();
    times
}

#[tokio::test]
#[ignore = "by hand: a measurement wants a quiet machine"]
async fn a_signal_to_another_node_is_hardly_later_than_on_one() {
    let Some([first, second]) = Server::nodes() else { return };
    let alone = Server::start();
    let tasks = tokio::task::LocalSet::new();
    let (one, two) = tasks
        .run_until(async { (measure(&alone, &alone).await, measure(&first, &second).await) })
        .await;
    let part = |times: &[Duration], percent: usize| times[(times.len() - 1) * percent / 100];
    for (name, times) in [("one node", &one), ("two nodes", &two)] {
        println!(
            "{name}: p50 {:?}, p99 {:?}, of {}",
            part(times, 50),
            part(times, 99),
            times.len()
        );
    }
    assert!(part(&two, 99) < part(&one, 99) + Duration::from_millis(10));
}
