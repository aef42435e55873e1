//! Carrying messages out, one after another, and answering them in their order.

use std::net::IpAddr;

use tokio::sync::oneshot;

use super::{Bayeux, TRANSPORTS};
use crate::{
    bayeux::{
        answer::{Text, Time},
        application::Caller,
        channel::Kind,
        client::{
            CONNECT, Client, ClientId,
            command::{Command, Connect, From, Member, Pause, Reply},
        },
        fault::Fault,
        message::{Acknowledged, Broken, Message},
        saving::is_trusted,
    },
    model::{
        ids::{NodeId, SocketAddress},
        json::Json,
    },
    sockets::service::{PageOrigin, SocketService},
};

/// What a request or frame comes with.
#[derive(Clone, Debug)]
pub(in crate::bayeux) struct Visit {
    pub(in crate::bayeux) from: From,
    pub(in crate::bayeux) address: IpAddr,
    pub(in crate::bayeux) origin: PageOrigin,
    /// Whether its connect may be held; else the client is to pause.
    pub(in crate::bayeux) pause: Option<Pause>,
}

/// What came with messages, and what became of them.
pub(in crate::bayeux) type Read = Vec<Result<Message, Broken>>;

impl Bayeux {
    /// Carries out what came with one request or frame, in a task of its own: what was begun is carried out, whether
    /// anybody waits for it or not. Gives the client, if there is one.
    pub(in crate::bayeux) fn begin(
        &self,
        service: &SocketService,
        visit: Visit,
        messages: Read,
    ) -> oneshot::Receiver<Option<ClientId>> {
        let (sender, carried_out) = oneshot::channel();
        let (bayeux, service, at) = (self.clone(), service.clone(), visit.from.at);
        actix_rt::spawn(async move {
            let client = bayeux.carry_out(&service, visit, messages).await;
            if let Err(Some(client)) = sender.send(client) {
                bayeux.lost(client, at);
            }
        });
        carried_out
    }

    /// Carries out what came with one request or frame. The answers go to its line, now or when its connect ends. Gives
    /// the client, if there is one.
    async fn carry_out(
        &self,
        service: &SocketService,
        visit: Visit,
        mut messages: Read,
    ) -> Option<ClientId> {
        self.0.local.metrics.bayeux_received.inc_by(messages.len() as u64);
        let shakes = |message: &Result<Message, Broken>| {
            message.as_ref().is_ok_and(|message| message.channel.as_str() == "/meta/handshake")
        };
        // It comes alone; what comes with it is ignored (Bayeux 1.0, section 4.1).
        if let Some(at) = messages.iter().position(shakes)
            && let Ok(message) = messages.swap_remove(at)
        {
            let (client, answer) = self.shake_hands(service, &visit, &message).await;
            self.write(visit.from.at, vec![answer]);
            return client;
        }
        let claimed = messages.iter().find_map(|message| message.as_ref().ok()?.client.clone());
        let client = claimed.as_deref().map(str::parse::<ClientId>).and_then(Result::ok);
        let Some(client) = client else {
            let answers = messages.iter().map(|message| self.unknown(message)).collect();
            self.write(visit.from.at, answers);
            return None;
        };
        let alone = messages.len() == 1;
        if alone
            && let Some(Ok(message)) = messages.first()
            && message.channel.as_str() == CONNECT
        {
            let fault = match self.lets_in(service, client).await {
                true => self.connect(client, &visit, message, true).await.err(),
                false => Some(Fault::Unknown),
            };
            if let Some(fault) = &fault {
                self.write(visit.from.at, vec![self.failed_connect(message, fault)]);
            }
            return fault.is_none().then_some(client);
        }
        let (member, home) = match self.ask(client, Command::Begin(visit.from.clone())).await {
            Ok(Reply::Known { member, home }) if self.trusts(service, client, &member) => {
                (*member, home)
            }
            // Who is known, but not to be had now, is not to shake hands anew.
            Err(fault) if fault != Fault::Unknown => {
                let answers =
                    messages.iter().map(|message| self.refusal(message, &fault)).collect();
                self.write(visit.from.at, answers);
                return None;
            }
            Ok(_) | Err(_) => {
                let answers = messages.iter().map(|message| self.unknown(message)).collect();
                self.write(visit.from.at, answers);
                return None;
            }
        };
        let (to, is_socket) = (visit.from.at, visit.from.is_socket);
        let mut batch = Batch { bayeux: self.clone(), client, to, is_socket, answers: Vec::new() };
        let caller = Caller { client, member, address: visit.address };
        if home == self.node() && !self.knows(client) {
            // It became that just now.
            self.adopt(client).await;
        }
        let mut has_left = false;
        for message in &messages {
            let own = message.as_ref().is_ok_and(|message| message.client == claimed);
            let answers = match message {
                Ok(message) if own && !has_left => {
                    has_left = message.channel.as_str() == "/meta/disconnect";
                    self.one(&visit, &caller, message, home).await
                }
                other => vec![self.unknown(other)],
            };
            batch.answers.extend(answers);
        }
        drop(batch);
        Some(client)
    }

    /// Whether a client is still trusted. Of those who are at home here that is known; of others each node sees for itself,
    /// since their home may be gone. Who is not has to go.
    async fn lets_in(&self, service: &SocketService, client: ClientId) -> bool {
        if self.knows(client) {
            return true;
        }
        let looked = self.look(client).await.ok().flatten();
        let member = looked.as_ref().and_then(Client::member);
        if looked.as_ref().and_then(Client::home) == Some(self.node()) {
            // The word that it is that was missed.
            self.adopt(client).await;
        }
        member.is_none_or(|member| self.trusts(service, client, member))
    }

    fn trusts(&self, service: &SocketService, client: ClientId, member: &Member) -> bool {
        let is_well = self.knows(client) || is_trusted(service, member);
        if !is_well {
            tracing::info!(?client, "a client is not trusted any more");
            self.dismiss(client);
        }
        is_well
    }

    fn write(&self, to: SocketAddress, messages: Vec<Text>) {
        self.local().write(to.socket, messages);
    }

    /// Connects. Alone it is answered by the record; in company these are the answers.
    async fn connect(
        &self,
        client: ClientId,
        visit: &Visit,
        message: &Message,
        alone: bool,
    ) -> Result<Vec<Text>, Fault> {
        let transport = message.transport.as_deref();
        if transport.is_some_and(|name| !TRANSPORTS.contains(&name)) {
            let rule = "must be websocket or long-polling".into();
            return Err(Fault::Field { name: "connectionType", rule });
        }
        let ack = message.ext.ack.and_then(Acknowledged::batch);
        let now = self.0.clock.wall().0;
        let time = message.ext.timesync.and_then(|asked| Time::answer(asked, now));
        let (from, id, pause) = (visit.from.clone(), message.id.clone(), visit.pause);
        let timeout = message.advice.timeout;
        let connect = Connect { from, id, timeout, ack, time, alone, pause };
        self.lines().connects(visit.from.at.socket, client);
        let reply = self.ask(client, Command::Connect(Box::new(connect))).await?;
        if let Some(hearing) = self.0.local.hearing(client) {
            hearing.connects();
        }
        match reply {
            Reply::Now(answers) => Ok(answers),
            _ => Ok(Vec::new()),
        }
    }

    /// Carries out one message of a known client.
    async fn one(
        &self,
        visit: &Visit,
        caller: &Caller,
        message: &Message,
        home: NodeId,
    ) -> Vec<Text> {
        match message.channel.as_str() {
            CONNECT => match self.connect(caller.client, visit, message, false).await {
                Ok(answers) => answers,
                Err(fault) => vec![self.failed_connect(message, &fault)],
            },
            "/meta/disconnect" => {
                let left = self.ask(caller.client, Command::Disconnect).await;
                vec![self.answer(message, left.as_ref().map(|_| ()))]
            }
            _ if home == self.node() => self.at_home(caller, message).await,
            _ => match self.letters().ask(home, caller, message).await {
                Some(answers) => answers,
                None => vec![self.answer(message, Err(&Fault::Unready))],
            },
        }
    }

    /// Carries out one message of a client whose home is here.
    pub(in crate::bayeux) async fn at_home(&self, caller: &Caller, message: &Message) -> Vec<Text> {
        let client = caller.client;
        if !self.knows(client) {
            // The word that its home is here was missed, or it is not any more, and what it heard has gone.
            self.adopt(client).await;
        }
        let done = match message.channel.as_str() {
            _ if !self.knows(client) => Err(Fault::Unready),
            "/meta/subscribe" => self.subscribe(client, message).await,
            "/meta/unsubscribe" => self.unsubscribe(client, message).await,
            _ => match message.channel.kind() {
                Kind::Meta => Err(Fault::ChannelInvalid),
                Kind::Service => self.call(caller, message).await,
                Kind::Broadcast => self.publish(client, message).await,
            },
        };
        vec![self.answer(message, done.as_ref().copied())]
    }

    async fn call(&self, caller: &Caller, message: &Message) -> Result<(), Fault> {
        if message.channel.is_pattern() {
            return Err(Fault::PublishDenied);
        }
        let data = message.data.clone().unwrap_or_else(Json::null);
        let (sender, receiver) = oneshot::channel();
        let outcome = Box::new(move |outcome| {
            let _ = sender.send(outcome);
        });
        let service = self.0.local.service.get().ok_or(Fault::Unready)?;
        let application = &self.0.local.application;
        application.call(self, service, caller.clone(), &message.channel, &data, outcome);
        receiver.await.unwrap_or(Err(Fault::Unready))
    }
}

/// Messages that are being carried out. However that ends, the client hears the answers that there are.
struct Batch {
    bayeux: Bayeux,
    client: ClientId,
    to: SocketAddress,
    is_socket: bool,
    answers: Vec<Text>,
}

impl Drop for Batch {
    fn drop(&mut self) {
        let (to, is_socket) = (self.to, self.is_socket);
        let answers = std::mem::take(&mut self.answers);
        self.bayeux.tell(self.client, Command::Finish { to, is_socket, answers });
    }
}
