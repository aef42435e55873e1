//! Broadcast channels: they are topics, of which a client may do what its token says.

use tokio::sync::oneshot;

use super::Bayeux;
use crate::{
    bayeux::{
        channel::{Channel, Kind},
        client::{Client, ClientId, command::Command},
        fault::Fault,
        hearing::{Hearing, Start},
        message::Message,
        saving::is_trusted,
    },
    model::json::Json,
    store::{Afterwards, Engine as _, Refusal},
    topics::client::Subscribed,
};

impl Bayeux {
    /// One after another: those before a refusal remain.
    pub(super) async fn subscribe(&self, client: ClientId, message: &Message) -> Result<(), Fault> {
        let subscription = message.subscription.as_ref().ok_or(Fault::SubscriptionMissing)?;
        for channel in &subscription.channels {
            let channel = channel.as_ref().ok_or(Fault::SubscriptionInvalid)?;
            match channel.kind() {
                // Nothing to remember: the server sends there what it wants to.
                Kind::Service => {}
                Kind::Meta => return Err(Fault::SubscribeDenied),
                Kind::Broadcast => {
                    let hearing = self.0.local.hearing(client).ok_or(Fault::SubscribeDenied)?;
                    self.hear(client, &hearing, channel).await?;
                }
            }
        }
        Ok(())
    }

    async fn hear(
        &self,
        client: ClientId,
        hearing: &Hearing,
        channel: &Channel,
    ) -> Result<(), Fault> {
        let mut subscribed = hearing.subscribed.lock().await;
        if subscribed.contains_key(channel) {
            return Ok(());
        }
        self.ask(client, Command::Subscribe(channel.clone())).await?;
        match hearing.hear(channel, Start::Retained).await {
            Ok(Subscribed { id, position, .. }) => {
                subscribed.insert(channel.clone(), id);
                self.tell(client, Command::Hears { channel: channel.clone(), position });
                Ok(())
            }
            Err(fault) => {
                self.ask(client, Command::Unsubscribe(channel.clone())).await?;
                Err(fault)
            }
        }
    }

    pub(super) async fn unsubscribe(
        &self,
        client: ClientId,
        message: &Message,
    ) -> Result<(), Fault> {
        let subscription = message.subscription.as_ref().ok_or(Fault::SubscriptionMissing)?;
        let channels = subscription.channels.iter().cloned().collect::<Option<Vec<_>>>();
        let channels = channels.ok_or(Fault::SubscriptionInvalid)?;
        // Who may hear nothing hears nothing.
        let Some(hearing) = self.0.local.hearing(client) else { return Ok(()) };
        let mut subscribed = hearing.subscribed.lock().await;
        for channel in channels {
            if let Some(subscription) = subscribed.remove(&channel) {
                hearing.end(subscription);
                self.ask(client, Command::Unsubscribe(channel)).await?;
            }
        }
        Ok(())
    }

    /// To everybody of the group who hears the channel, the publisher too.
    pub(super) async fn publish(&self, client: ClientId, message: &Message) -> Result<(), Fault> {
        if message.channel.is_pattern() {
            return Err(Fault::PublishDenied);
        }
        let hearing = self.0.local.hearing(client).ok_or(Fault::PublishDenied)?;
        let data = message.data.clone().unwrap_or_else(Json::null);
        hearing.publish(&message.channel, data, message.ext.retain).await
    }

    /// Makes this node the home of a client that lost the one it had, with its node or the process that saved it: it hears
    /// what it heard, from where it was, as far as its token still allows that. What its topics retain it has.
    pub(in crate::bayeux) async fn adopt(&self, client: ClientId) {
        let Some(service) = self.0.local.service.get() else { return };
        let Some(saved) = self.look(client).await else { return };
        if saved.home().is_some_and(|home| home != self.node()) {
            return;
        }
        let Some(member) = saved.member() else { return };
        if !is_trusted(service, member) {
            return self.dismiss(client);
        }
        let known = self.known(service, member, saved.acknowledges());
        let hearing = known.hearing.clone();
        // Whoever changes what it hears waits until that is there.
        let mut subscribed = match &hearing {
            Some(hearing) => Some(hearing.subscribed.lock().await),
            None => None,
        };
        if !self.0.local.enter(client, known) {
            return;
        }
        for channel in saved.channels() {
            let start = saved.heard(channel).map_or(Start::Now, Start::Behind);
            let heard = match (&hearing, &mut subscribed) {
                (Some(hearing), Some(subscribed)) => {
                    let heard = hearing.hear(channel, start).await;
                    heard.map(|subscription| {
                        subscribed.insert(channel.clone(), subscription.id);
                    })
                }
                _ => Err(Fault::SubscribeDenied),
            };
            match heard {
                Ok(()) => {}
                Err(Fault::Unready) => {
                    // Whether it still may hear that is not known; a new handshake finds out.
                    self.tell(client, Command::Forget);
                    return;
                }
                Err(fault) => {
                    tracing::warn!(?client, %channel, ?fault, "a subscription is lost with the client's home");
                    self.tell(client, Command::Unsubscribe(channel.clone()));
                }
            }
        }
        drop(subscribed);
        self.0.local.application.adopt(self, service, client, &mut saved.kept());
        // It may have ended meanwhile, when nobody here knew it yet.
        if self.look(client).await.is_none_or(|now| now.member().is_none()) {
            self.0.local.forget(client);
            self.0.local.application.ended(service, client);
        }
    }

    /// What the record says now, if there is one.
    pub(super) async fn look(&self, client: ClientId) -> Option<Client> {
        let (sender, looked) = oneshot::channel();
        let reader = move |record: Result<Option<&Client>, Refusal>| -> Afterwards {
            let _ = sender.send(record.map(Option::<&Client>::cloned));
            Box::new(|| ())
        };
        self.0.engine.read(client, Box::new(reader));
        looked.await.ok()?.ok()?
    }
}
