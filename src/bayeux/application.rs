//! What stands behind the service channels: a facade.

use std::net::IpAddr;

use super::{
    channel::Channel,
    client::{ClientId, command::Member},
    fault::Fault,
    server::Bayeux,
};
use crate::{model::json::Json, sockets::service::SocketService};

/// Who sends a message to a service channel.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The client.
    pub client: ClientId,
    /// Whose it is.
    pub member: Member,
    /// Where its request came from.
    pub address: IpAddr,
}

/// Takes the outcome of a message to a service channel; called once.
pub type Outcome = Box<dyn FnOnce(Result<(), Fault>) + Send>;

/// What stands behind the service channels.
pub trait Application: Send + Sync {
    /// Carries out a message. What is to be told to clients meanwhile comes before the message's own answer.
    fn call(
        &self,
        bayeux: &Bayeux,
        service: &SocketService,
        caller: Caller,
        channel: &Channel,
        data: &Json,
        outcome: Outcome,
    );

    /// This node is a client's home now, after the one that was is lost, or the process that saved it has ended: takes up what
    /// was kept with it ([`Bayeux::keep`]), by name.
    fn adopt(
        &self,
        bayeux: &Bayeux,
        service: &SocketService,
        client: ClientId,
        kept: &mut dyn Iterator<Item = (&str, &str)>,
    );

    /// A client is gone.
    fn ended(&self, service: &SocketService, client: ClientId);
}
