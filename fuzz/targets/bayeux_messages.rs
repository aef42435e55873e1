//! Bayeux messages, of a request or of a frame.

use vestibule::{
    bayeux::{
        answer::Answer,
        channel::{Channel, MAX_LENGTH, MAX_SEGMENTS},
        fault::Fault,
        message::{Broken, MAX_MESSAGES, Message, Unreadable, read},
    },
    settings::Errors,
};

pub fn run(bytes: &[u8]) {
    let messages = match read(bytes) {
        Ok(messages) => messages,
        Err(Unreadable::Malformed | Unreadable::Deep | Unreadable::Empty | Unreadable::Many) => {
            return;
        }
    };
    assert!((1..=MAX_MESSAGES).contains(&messages.len()));
    for message in &messages {
        match message {
            Ok(message) => taken(message),
            Err(broken) => refused(broken),
        }
    }
}

/// What is taken keeps the rules, and its answer is JSON that repeats what it must.
fn taken(message: &Message) {
    let name = message.channel.as_str();
    assert!(name.len() <= MAX_LENGTH && name.split('/').count() <= MAX_SEGMENTS + 1);
    assert_eq!(name.parse().as_ref(), Ok(&message.channel), "a channel reads as it is written");
    // What is a topic is that channel again, and what it subscribes to chooses it.
    if let Ok(topic) = message.channel.topic() {
        let is_special = topic.is_special();
        let filter = message.channel.filter();
        assert!(
            filter.is_ok_and(|filter| filter.matches(&topic))
                || is_special
                || message.channel.is_pattern()
        );
        assert!(Channel::of(&topic).is_none_or(|channel| channel == message.channel));
    }
    let answer = Answer::to(message, Err(&Fault::Unknown), Errors::Classic).text();
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["channel"], name);
    assert_eq!(answer["id"], serde_json::to_value(&message.id).unwrap());
    assert_eq!(answer["successful"], false);
    assert!(answer.get("data").is_none());
}

/// What is refused says why in three parts, in both vocabularies.
fn refused(broken: &Broken) {
    assert!(broken.channel.as_ref().is_none_or(|channel| channel.len() <= MAX_LENGTH));
    for errors in [Errors::Classic, Errors::Modern] {
        assert_eq!(broken.fault.text(errors).split(':').count(), 3, "{:?}", broken.fault);
    }
}
