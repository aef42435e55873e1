//! Broadcast channels: they are topics, of which a client may do what its token says.

use tokio::sync::oneshot;

use super::Bayeux;
use crate::{
    bayeux::{
        channel::{Channel, Kind},
        client::{Client, ClientId, command::Command},
        delivery::Known,
        fault::Fault,
        hearing::{Hearing, Start},
        message::Message,
        saving::is_trusted,
    },
    model::{ids::SocketAddress, json::Json},
    sockets::service::SocketService,
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
        let saved = match self.look(client).await {
            Ok(Some(saved)) => saved,
            Ok(None) => return,
            Err(_) => {
                // When the server is back, whoever hears of the client next is asked to.
                self.tell(client, Command::GiveUp { home: self.node() });
                return;
            }
        };
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
        if !self.0.local.enter(client, Known { is_open: true, ..known }) {
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
        self.forget_if_gone(service, client).await;
    }

    /// Words that clients ended may have been missed until now: those who did are at home here no more.
    pub(in crate::bayeux) async fn forget_the_gone(&self) {
        let Some(service) = self.0.local.service.get() else { return };
        let known = self.0.local.known.iter().filter(|known| known.is_open);
        let known: Vec<ClientId> = known.map(|known| *known.key()).collect();
        for client in known {
            self.forget_if_gone(service, client).await;
        }
    }

    async fn forget_if_gone(&self, service: &SocketService, client: ClientId) {
        let Ok(now) = self.look(client).await else { return };
        if now.is_none_or(|now| now.member().is_none()) {
            self.0.local.forget(client);
            self.0.local.application.ended(service, client);
        }
    }

    /// Whether a request of a client, whose messages were carried out, is answered by now: its connect is not held. `false`
    /// where nobody knows.
    pub(in crate::bayeux) async fn has_answered(
        &self,
        client: ClientId,
        at: SocketAddress,
    ) -> bool {
        let is_held = |client: Client| client.is_held_at(at);
        self.look(client).await.is_ok_and(|client| !client.is_some_and(is_held))
    }

    /// What the record says now, if there is one.
    pub(in crate::bayeux) async fn look(&self, client: ClientId) -> Result<Option<Client>, Fault> {
        let (sender, looked) = oneshot::channel();
        let reader = move |record: Result<Option<&Client>, Refusal>| -> Afterwards {
            let _ = sender.send(record.map(Option::<&Client>::cloned));
            Box::new(|| ())
        };
        self.0.engine.read(client, Box::new(reader));
        looked.await.ok().and_then(Result::ok).ok_or(Fault::Unready)
    }
}
