//! Broadcast channels: they are topics, of which a client may do what its token says.

use super::Bayeux;
use crate::{
    bayeux::{
        channel::{Channel, Kind},
        client::{ClientId, command::Command},
        delivery::Known,
        fault::Fault,
        hearing::Hearing,
        message::Message,
    },
    model::json::Json,
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
                    self.hear(client, &hearing, channel, true).await?;
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
        retained: bool,
    ) -> Result<(), Fault> {
        let mut subscribed = hearing.subscribed.lock().await;
        if subscribed.contains_key(channel) {
            return Ok(());
        }
        self.ask(client, Command::Subscribe(channel.clone())).await?;
        match hearing.hear(channel, retained).await {
            Ok(subscription) => {
                subscribed.insert(channel.clone(), subscription);
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

    /// A client that the last process saved: known again, and hearing what it heard, as far as its token still allows that.
    /// What its topics retain it has.
    pub(in crate::bayeux) async fn take_over(
        &self,
        client: ClientId,
        known: Known,
        channels: Vec<Channel>,
    ) {
        let hearing = known.hearing.clone();
        self.0.local.enter(client, known);
        for channel in channels {
            let heard = match &hearing {
                Some(hearing) => self.hear(client, hearing, &channel, false).await,
                None => Err(Fault::SubscribeDenied),
            };
            if let Err(fault) = heard {
                tracing::warn!(?client, %channel, ?fault, "a subscription is lost over the restart");
                self.tell(client, Command::Unsubscribe(channel));
            }
        }
    }
}
