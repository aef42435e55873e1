//! A stream of a group's events, as server-sent events (the HTML standard, section 9.2).
//!
//! A task reads the group's log and hands chunks to the connection through a channel of a few chunks, the stream's whole
//! buffer besides the connection's own. A reader who takes nothing for the write deadline is let go, and resumes by the
//! id of what he got last; the log is bounded whoever reads it.

use std::{
    convert::Infallible,
    fmt::Write as _,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use actix_web::{
    HttpResponse,
    body::{BodySize, MessageBody},
    http::header,
};
use bytes::Bytes;
use tokio::sync::{mpsc, watch};

use crate::{
    auth::{Agent, TokenService},
    clock::Clock,
    events::{
        cursor::{Cursor, Place},
        filter::Filter,
        hub::Streaming,
        log::Batch,
    },
    model::event::EventKind,
    telemetry::labels::StreamEnd,
};

/// Events in one chunk.
const BATCH: usize = 64;
/// Chunks that wait for the connection.
const CHUNKS: usize = 4;
/// How long a client is asked to wait before it comes back, milliseconds.
const RETRY_MS: u64 = 2_000;

/// What a reader asks for, and how long it may have it.
pub struct Wishes {
    /// Where it begins.
    pub place: Place,
    /// Which events.
    pub filter: Filter,
    /// Who reads.
    pub bearer: Agent,
    /// Longest silence.
    pub heartbeat: Duration,
    /// How long it may take nothing.
    pub write_deadline: Duration,
}

/// Answers with the stream, whose task runs on this thread.
pub fn answer(
    streaming: Streaming,
    wishes: Wishes,
    clock: Clock,
    tokens: Arc<TokenService>,
    draining: watch::Receiver<bool>,
) -> HttpResponse {
    let (chunks, body) = mpsc::channel(CHUNKS);
    let text = String::new();
    let stream = Stream { streaming, wishes, clock, tokens, draining, chunks, text };
    actix_web::rt::spawn(stream.run());
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // nginx would keep the events to itself.
        .insert_header(("x-accel-buffering", "no"))
        .body(Chunks(body))
}

struct Stream {
    streaming: Streaming,
    wishes: Wishes,
    clock: Clock,
    tokens: Arc<TokenService>,
    draining: watch::Receiver<bool>,
    chunks: mpsc::Sender<Bytes>,
    /// What is to be sent next.
    text: String,
}

impl Stream {
    async fn run(mut self) {
        let Err(end) = self.serve().await;
        self.streaming.end = Some(end);
        match end {
            StreamEnd::Drained => {
                self.write(None, "goaway", &format!(r#"{{"retry_ms":{RETRY_MS}}}"#));
            }
            StreamEnd::Expired => self.write(None, "expired", r#"{"code":"expired"}"#),
            StreamEnd::Revoked => self.write(None, "expired", r#"{"code":"revoked"}"#),
            StreamEnd::Gone | StreamEnd::Slow => return,
        }
        let _ = self.flush().await;
    }

    /// Sends events until there is a reason to end.
    async fn serve(&mut self) -> Result<Infallible, StreamEnd> {
        let feed = Arc::clone(&self.streaming.feed);
        if !matches!(self.wishes.place, Place::At(_)) {
            let at = feed.read(self.wishes.place, 0, &self.wishes.filter).cursor;
            self.wishes.place = Place::At(at);
        }
        let _ = writeln!(self.text, "retry: {RETRY_MS}");
        self.mark();
        let mut changes = self.tokens.changes().watch();
        loop {
            if !self.tokens.still_believes(&self.wishes.bearer) {
                return Err(StreamEnd::Revoked);
            }
            let changed = feed.changed();
            let batch = feed.read(self.wishes.place, BATCH, &self.wishes.filter);
            self.write_batch(&batch);
            self.flush().await?;
            let left = self.wishes.bearer.expires.since(self.clock.wall());
            if *self.draining.borrow() {
                return Err(StreamEnd::Drained);
            }
            if left == 0 {
                return Err(StreamEnd::Expired);
            }
            if batch.more {
                continue;
            }
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep(self.wishes.heartbeat) => self.mark(),
                () = tokio::time::sleep(Duration::from_millis(left)) => {}
                _ = self.draining.changed() => {}
                _ = changes.changed() => {}
                () = self.chunks.closed() => return Err(StreamEnd::Gone),
            }
        }
    }

    fn write_batch(&mut self, batch: &Batch) {
        if let Some((reset, at)) = &batch.reset {
            let reset = serde_json::to_string(reset).unwrap_or_default();
            self.write(Some(*at), "reset", &reset);
        }
        for (at, item) in &batch.items {
            let kind = EventKind::NAMES.get(item.kind).copied().unwrap_or_default();
            self.write(Some(*at), kind, item.text());
        }
        self.wishes.place = Place::At(batch.cursor);
    }

    /// A comment, and where the reader is, although no event that he wants came.
    fn mark(&mut self) {
        if let Place::At(at) = self.wishes.place {
            let _ = write!(self.text, ":\nid: {at}\n\n");
        }
    }

    fn write(&mut self, at: Option<Cursor>, kind: &str, data: &str) {
        if let Some(at) = at {
            let _ = writeln!(self.text, "id: {at}");
        }
        // JSON text holds no line break.
        let _ = write!(self.text, "event: {kind}\ndata: {data}\n\n");
    }

    async fn flush(&mut self) -> Result<(), StreamEnd> {
        if self.text.is_empty() {
            return Ok(());
        }
        let chunk = Bytes::from(std::mem::take(&mut self.text));
        let sent = tokio::time::timeout(self.wishes.write_deadline, self.chunks.send(chunk)).await;
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(StreamEnd::Gone),
            Err(_) => Err(StreamEnd::Slow),
        }
    }
}

/// The connection's end of the channel.
struct Chunks(mpsc::Receiver<Bytes>);

impl MessageBody for Chunks {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        self.0.poll_recv(context).map(|chunk| chunk.map(Ok))
    }
}
