//! What is answered: that a message was carried out, or what is wrong with it.

use super::Bayeux;
use crate::bayeux::{
    answer::{Advice, Answer, Text},
    client::CONNECT,
    fault::Fault,
    message::{Broken, Message},
};

impl Bayeux {
    pub(super) fn answer(&self, message: &Message, done: Result<(), &Fault>) -> Text {
        if let Err(fault) = done {
            self.refused(fault);
        }
        Answer::to(message, done, self.0.settings.errors).text()
    }

    pub(super) fn refused(&self, fault: &Fault) {
        self.0.local.metrics.bayeux_refused.inc();
        tracing::debug!(?fault, "Bayeux message refused");
    }

    /// The answer to a message that came above a limit.
    pub(in crate::bayeux) fn refusal(
        &self,
        message: &Result<Message, Broken>,
        fault: &Fault,
    ) -> Text {
        match message {
            Ok(message) if message.channel.as_str() == CONNECT => {
                self.failed_connect(message, fault)
            }
            Ok(message) => self.answer(message, Err(fault)),
            Err(broken) => self.broken(broken),
        }
    }

    /// The answer to a message of a client that nobody knows, or that cannot be read.
    pub(super) fn unknown(&self, message: &Result<Message, Broken>) -> Text {
        match message {
            Ok(message) if message.channel.as_str() == CONNECT => {
                self.failed_connect(message, &Fault::Unknown)
            }
            Ok(message) => self.answer(message, Err(&Fault::Unknown)),
            Err(broken) => self.broken(broken),
        }
    }

    fn broken(&self, Broken { channel, id, fault }: &Broken) -> Text {
        self.refused(fault);
        let channel = channel.as_deref().unwrap_or("/meta/unknown");
        Answer::failed(channel, id.as_ref(), fault, self.0.settings.errors).text()
    }

    pub(super) fn failed_connect(&self, message: &Message, fault: &Fault) -> Text {
        self.refused(fault);
        let advice = match fault {
            Fault::Unknown => Advice::handshake(self.0.settings.timeout_ms),
            _ => Advice { interval: 1_000, ..Advice::retry(self.0.settings.timeout_ms) },
        };
        Answer::to(message, Err(fault), self.0.settings.errors).advised(advice).text()
    }
}
