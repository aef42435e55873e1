//! Messages that wait while others of their group are on their way.

use super::*;

/// What became of messages, each with its number.
type Answers = Arc<Mutex<Vec<(usize, Result<Option<u64>, ErrorCode>)>>>;

fn publish_to(publisher: &Client, number: usize, answers: &Answers) {
    let (topic, data, answers) = ("a".parse().unwrap(), Json::of(&number), Arc::clone(answers));
    publisher.publish(PublishWish { topic, data, retain: false, expiry_ms: None }, move |answer| {
        let offset = answer.map(|place| place.map(|place| place.offset));
        answers.lock().push((number, offset.map_err(|problem| problem.code)));
    });
}

#[test]
fn messages_that_wait_go_together_in_their_order() {
    let (topics, sockets) = sleeping();
    let (publisher, subscriber) = (client(&topics, 0), client(&topics, 1));
    let wish = SubscribeWish {
        filter: "a".parse().unwrap(),
        no_local: false,
        latest: false,
        retained: true,
        resume: None,
    };
    subscriber.subscribe(wish, |answer| assert!(answer.is_ok()));
    topics.engine().settle();
    let (answers, before) = (Answers::default(), topics.engine().figures().commands);
    (1..=1_000).for_each(|number| publish_to(&publisher, number, &answers));
    assert!(answers.lock().is_empty());
    assert_eq!(topics.shared.hub.waiting(), 999, "the first is on its way");
    topics.engine().settle();
    let expected: Vec<_> = (1..=1_000).map(|number| (number, Ok(Some(number as u64)))).collect();
    assert_eq!(*answers.lock(), expected);
    let heard = sockets.take(SocketId(1)).into_iter();
    let heard: Vec<_> = heard.map(|message| message["data"].as_u64().unwrap()).collect();
    assert_eq!(heard, (1..=1_000).collect::<Vec<u64>>());
    assert_eq!(
        topics.engine().figures().commands - before,
        5,
        "one, three times 256, and the rest"
    );
}

#[test]
fn one_too_many_is_refused_and_the_others_go() {
    let (topics, _) = sleeping();
    let (publisher, answers) = (client(&topics, 0), Answers::default());
    const MOST: usize = 32_768;
    (0..=MOST + 1).for_each(|number| publish_to(&publisher, number, &answers));
    let refused = (MOST + 1, Err(ErrorCode::Unready));
    assert_eq!(std::mem::take(&mut *answers.lock()), [refused]);
    assert_eq!(topics.shared.hub.metrics.topic_messages_refused.get(), 1);
    topics.engine().settle();
    assert_eq!(answers.lock().len(), MOST + 1);
    assert!(answers.lock().iter().all(|(_, answer)| answer.is_ok()));
    assert_eq!(topics.shared.hub.waiting(), 0);
}

#[test]
fn who_fails_when_he_is_told_stops_nobody() {
    let (topics, _) = sleeping();
    let (publisher, answers) = (client(&topics, 0), Answers::default());
    publish_to(&publisher, 0, &answers);
    let (topic, data) = ("a".parse().unwrap(), Json::of(&1));
    publisher.publish(PublishWish { topic, data, retain: false, expiry_ms: None }, |_| {
        panic!("this is meant");
    });
    (2..600).for_each(|number| publish_to(&publisher, number, &answers));
    topics.engine().settle();
    assert_eq!(answers.lock().len(), 599);
    // Those that wait when the service ends are told, too.
    (600..1_000).for_each(|number| publish_to(&publisher, number, &answers));
    topics.engine().seal();
    topics.engine().settle();
    assert_eq!(answers.lock().len(), 999);
    assert_eq!(answers.lock().last(), Some(&(999, Err(ErrorCode::Unready))));
}
