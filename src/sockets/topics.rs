//! A socket's part in topics.

use crate::{
    model::{
        error::Problem,
        topic::{Rights, TopicAnswer, TopicCall},
    },
    topics::client::Client,
};

/// What a socket publishes and subscribes through, once it does; all ends when it is dropped.
#[derive(Default)]
pub(super) struct TopicSeat(Option<Box<Client>>);

impl TopicSeat {
    /// Does what the socket asks. `client` makes its part the first time.
    pub(super) fn call(
        &mut self,
        client: impl FnOnce() -> Client,
        call: TopicCall,
        answer: impl FnOnce(Result<TopicAnswer, Problem>) + Send + 'static,
    ) {
        let client = self.0.get_or_insert_with(|| Box::new(client()));
        match call {
            TopicCall::Publish(wish) => client.publish(wish, |published| {
                let told = |position| TopicAnswer { position, ..TopicAnswer::default() };
                answer(published.map(told));
            }),
            TopicCall::Subscribe(wish) => client.subscribe(wish, |subscribed| {
                answer(subscribed.map(|subscribed| TopicAnswer {
                    subscription: Some(subscribed.id),
                    position: Some(subscribed.position),
                    missed: subscribed.missed,
                }));
            }),
            TopicCall::Unsubscribe(id) => {
                client.unsubscribe(id);
                answer(Ok(TopicAnswer::default()));
            }
        }
    }

    /// The socket lives by another token.
    pub(super) fn change_rights(&mut self, rights: Rights) {
        if let Some(client) = &mut self.0 {
            client.change_rights(rights);
        }
    }

    /// The socket has written something.
    pub(super) fn written(&self) {
        if let Some(client) = &self.0 {
            client.written();
        }
    }
}
