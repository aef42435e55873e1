//! Moves bytes between one connection and its actor: reads in batches through the thread's scratch buffer, writes what
//! the outbox holds once a turn. A future of the actor's own context, so that messages reach the actor as plain calls.

use std::{
    cell::RefCell,
    ops::ControlFlow,
    pin::Pin,
    rc::Rc,
    task::{Context as TaskContext, Poll, ready},
};

use actix::{Actor, ActorContext as _, ActorFuture, AsyncContext, Context};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    framing::{Frame, Message, Reader},
    lease::Lease,
    outbox::Class,
    service::SocketService,
};
use crate::{
    model::close::{Close, CloseCode},
    telemetry::labels::{Closing, OutboxClass},
};

/// Bytes that one poll reads at most, so that a busy socket leaves the thread to others.
const BATCH_BYTES: usize = 64 * 1024;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; BATCH_BYTES]);
}

/// A connection that was taken over.
pub trait Connection: AsyncRead + AsyncWrite + Unpin + 'static {}
impl<T: AsyncRead + AsyncWrite + Unpin + 'static> Connection for T {}

/// The actor behind a socket.
pub trait Endpoint: Actor<Context = Context<Self>> {
    /// A text message. Breaking ends the reading.
    fn message(&mut self, text: &str, context: &mut Context<Self>) -> ControlFlow<Close>;
    /// A binary message: as a rule text in another wrapping. Breaking ends the reading.
    fn binary(&mut self, bytes: &[u8], context: &mut Context<Self>) -> ControlFlow<Close> {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.message(text, context),
            Err(_) => ControlFlow::Break(CloseCode::Utf8.into()),
        }
    }
    /// A ping or pong. Breaking ends the reading.
    fn control(&mut self) -> ControlFlow<Close>;
    /// What a close by this code is counted as.
    fn closing(&self, code: CloseCode) -> Closing {
        code.into()
    }
    /// Bytes were written to the connection.
    fn written(&mut self) {}
    /// No more messages come: the peer closed, the connection broke, or the server closed.
    fn ended(&mut self);
}

/// The future that serves one connection. When it ends, the actor stops.
pub struct Pump<T> {
    connection: T,
    reader: Reader,
    lease: Rc<Lease>,
    service: SocketService,
    /// What the HTTP parser had read beyond the handshake.
    early: Option<Vec<u8>>,
    stage: Stage,
}

#[derive(PartialEq, Eq)]
enum Stage {
    Open,
    /// A close frame is on its way; what still comes is thrown away.
    Closing,
    /// Ours is written; waits for the peer's end of the connection.
    Lingering,
}

impl<T: Connection> Pump<T> {
    /// Serves `connection`. `early` are bytes that came right behind the handshake.
    pub fn new(
        connection: T,
        early: &[u8],
        reader: Reader,
        lease: Rc<Lease>,
        service: SocketService,
    ) -> Self {
        let early = (!early.is_empty()).then(|| early.to_vec());
        Self { connection, reader, lease, service, early, stage: Stage::Open }
    }

    /// Starts serving as a future of `context`.
    pub fn run<A: Endpoint>(self, context: &mut Context<A>) {
        context.spawn(self);
    }

    /// Reads one batch. Ready when the connection has nothing more to give.
    fn poll_read<A: Endpoint>(
        &mut self,
        actor: &mut A,
        context: &mut Context<A>,
        task: &mut TaskContext<'_>,
    ) -> Poll<()> {
        SCRATCH.with_borrow_mut(|scratch| {
            if let Some(mut early) = self.early.take() {
                self.take_in(&mut early, actor, context);
            }
            // The second read only asks to be woken, as a rule: a short read has told that there is no more. Where it
            // does give something, the other sockets have their turn before the third.
            for _ in 0..2 {
                let mut buffer = ReadBuf::new(scratch);
                let read = ready!(Pin::new(&mut self.connection).poll_read(task, &mut buffer));
                let bytes = buffer.filled_mut();
                if read.is_err() || bytes.is_empty() {
                    if self.stage == Stage::Open && !self.lease.outbox.is_closed() {
                        self.service.metrics.connections_lost.inc();
                    }
                    return Poll::Ready(());
                }
                self.take_in(bytes, actor, context);
            }
            task.waker().wake_by_ref();
            Poll::Pending
        })
    }

    fn take_in<A: Endpoint>(&mut self, bytes: &mut [u8], actor: &mut A, context: &mut Context<A>) {
        self.lease.keepalive(|keepalive| keepalive.heard(self.service.clock().now()));
        self.service.metrics.bytes_in.inc_by(bytes.len() as u64);
        if self.stage != Stage::Open {
            return;
        }
        let outbox = Rc::clone(&self.lease);
        let outbox = &outbox.outbox;
        let mut frames = 0;
        let mut end = None;
        let read = self.reader.read(bytes, |message| {
            frames += 1;
            let flow = match message {
                Message::Text(text) => actor.message(text, context),
                Message::Binary(bytes) => actor.binary(bytes, context),
                Message::Ping(payload) => {
                    let _ = outbox.push(Class::Control, Frame::pong(payload));
                    actor.control()
                }
                Message::Pong(_) => actor.control(),
                Message::Close(_) => ControlFlow::Break(CloseCode::Normal.into()),
            };
            match flow {
                ControlFlow::Continue(()) => ControlFlow::Continue(()),
                ControlFlow::Break(close) => {
                    end = Some(close);
                    ControlFlow::Break(())
                }
            }
        });
        self.service.metrics.frames_in.inc_by(frames);
        if let Err(error) = read {
            end = Some(error.code().into());
        }
        if let Some(close) = end {
            outbox.close(close);
        }
    }

    /// Writes what waits. Ready when the close frame is out, or the connection broke.
    fn poll_write<A: Endpoint>(
        &mut self,
        actor: &mut A,
        task: &mut TaskContext<'_>,
    ) -> Poll<Result<(), ()>> {
        let now = self.service.clock().now();
        let flushed = {
            let connection = Pin::new(&mut self.connection);
            self.lease.outbox.poll_flush(task, connection, now)
        };
        let counts = self.lease.outbox.take_counts();
        let overflows = &self.service.metrics.outbox_overflows;
        if counts.overflowed {
            overflows.of(OutboxClass::Reliable).inc();
        }
        if counts.dropped > 0 {
            overflows.of(OutboxClass::Stream).inc_by(counts.dropped.into());
        }
        if counts.frames > 0 {
            self.service.metrics.frames_out.inc_by(counts.frames.into());
            self.service.metrics.bytes_out.inc_by(counts.bytes);
            actor.written();
        }
        match ready!(flushed) {
            Ok(code) => {
                self.service.metrics.closes.of(actor.closing(code)).inc();
                Poll::Ready(Ok(()))
            }
            Err(_) => Poll::Ready(Err(())),
        }
    }
}

impl<A: Endpoint, T: Connection> ActorFuture<A> for Pump<T> {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        actor: &mut A,
        context: &mut Context<A>,
        task: &mut TaskContext<'_>,
    ) -> Poll<()> {
        let pump = self.get_mut();
        pump.lease.outbox.awake();
        let gone = pump.poll_read(actor, context, task).is_ready();
        if gone {
            // A peer that closed and then shut its side may still read our answer.
            if pump.stage != Stage::Lingering {
                let _ = pump.poll_write(actor, task);
            }
            actor.ended();
            context.stop();
            return Poll::Ready(());
        }
        if pump.stage == Stage::Open && pump.lease.outbox.is_closed() {
            pump.stage = Stage::Closing;
            actor.ended();
        }
        if pump.stage != Stage::Lingering {
            match pump.poll_write(actor, task) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) => pump.stage = Stage::Lingering,
                Poll::Ready(Err(())) => {
                    if pump.stage == Stage::Open {
                        pump.service.metrics.connections_lost.inc();
                    }
                    actor.ended();
                    context.stop();
                    return Poll::Ready(());
                }
            }
        }
        // The peer reads our close frame before the kernel may answer its unread bytes with a reset.
        let shut = Pin::new(&mut pump.connection).poll_shutdown(task);
        if matches!(shut, Poll::Ready(Err(_))) || pump.lease.is_over(task.waker()) {
            context.stop();
            return Poll::Ready(());
        }
        Poll::Pending
    }
}
