//! Reads a client's frames out of the buffer that they were received into.

use std::{mem, ops::ControlFlow, str};

use super::{
    Message,
    head::{FrameError, HEAD_MAX, Head, Opcode},
};
use crate::sockets::masking::unmask;

/// Turns one client's bytes into messages. Between messages it holds no heap.
#[derive(Debug)]
pub struct Reader {
    /// The message's earlier fragments (`assembled` bytes, unmasked), then the start of an
    /// incomplete frame as it came. Control frames may come between fragments, so both can be here.
    held: Vec<u8>,
    assembled: usize,
    /// How many of the assembled bytes are whole UTF-8 characters.
    valid: u32,
    limit: u32,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Between,
    InText,
    InBinary,
    Ended,
}

type Flow = ControlFlow<()>;

impl Reader {
    /// A reader that refuses messages of more than `limit` bytes, whether in one frame or in many.
    #[must_use]
    pub fn new(limit: u32) -> Self {
        Self { held: Vec::new(), assembled: 0, valid: 0, limit, state: State::Between }
    }

    /// Reads what came, and calls `on_message` for each message that is complete, in order.
    ///
    /// `bytes` are scratch: frames that are whole are unmasked in place, the rest is copied. After
    /// a close frame, after an error, and after `on_message` breaks, all further bytes are ignored
    /// (RFC 6455, section 5.5.1) and nothing is kept.
    ///
    /// # Errors
    /// The first frame against the rules; messages before it have been handed over. Lengths and
    /// opcodes are judged when the head is there, text when its frame is.
    pub fn read(
        &mut self,
        bytes: &mut [u8],
        mut on_message: impl FnMut(Message<'_>) -> Flow,
    ) -> Result<(), FrameError> {
        let flow = self.frames(bytes, &mut on_message);
        if flow != Ok(ControlFlow::Continue(())) {
            *self = Self { state: State::Ended, ..Self::new(self.limit) };
        }
        flow.map(|_| ())
    }

    /// Bytes kept until the rest comes: at most the limit and 131 (a control frame in the making).
    #[must_use]
    pub fn kept(&self) -> usize {
        self.held.capacity()
    }

    /// Whether the reader takes no more bytes; see [`Reader::read`].
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.state == State::Ended
    }

    fn frames(
        &mut self,
        mut bytes: &mut [u8],
        on_message: &mut impl FnMut(Message<'_>) -> Flow,
    ) -> Result<Flow, FrameError> {
        while !bytes.is_empty() && self.state != State::Ended {
            let flow = if self.held.len() > self.assembled {
                let Some((head, rest)) = self.complete(bytes)? else { break };
                bytes = rest;
                self.kept_frame(head, on_message)?
            } else {
                let head = self.head(bytes)?;
                let size = head.map_or(HEAD_MAX, |head| head.whole());
                let (Some(head), true) = (head, size <= bytes.len()) else {
                    self.keep(bytes, self.assembled.saturating_add(size));
                    break;
                };
                let (frame, rest) = bytes.split_at_mut_checked(size).unwrap_or_default();
                bytes = rest;
                self.whole_frame(head, frame.get_mut(head.size..).unwrap_or_default(), on_message)?
            };
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(if self.has_ended() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    /// Reads a head and refuses what does not fit here and now, before any of it is kept.
    fn head(&self, bytes: &[u8]) -> Result<Option<Head>, FrameError> {
        let Some(head) = Head::parse(bytes)? else { return Ok(None) };
        let inside = matches!(self.state, State::InText | State::InBinary);
        if head.opcode.is_control() {
            return Ok(Some(head));
        }
        if inside != (head.opcode == Opcode::Continuation) {
            return Err(FrameError::Fragment);
        }
        let room = u64::from(self.limit).saturating_sub(self.assembled as u64);
        if head.length > room { Err(FrameError::TooLarge) } else { Ok(Some(head)) }
    }

    /// Adds to the kept frame what it lacks; gives its head and the bytes behind it once whole.
    fn complete<'b>(
        &mut self,
        mut bytes: &'b mut [u8],
    ) -> Result<Option<(Head, &'b mut [u8])>, FrameError> {
        loop {
            let frame = self.held.get(self.assembled..).unwrap_or_default();
            let have = frame.len();
            let head = self.head(frame)?;
            // Byte by byte while the head itself is not whole: at most 14 turns.
            let whole = head.map_or(HEAD_MAX, |head| head.whole());
            let lacking = if head.is_some() { whole.saturating_sub(have) } else { 1 };
            if let (Some(head), 0) = (head, lacking) {
                return Ok(Some((head, bytes)));
            }
            if bytes.is_empty() {
                return Ok(None);
            }
            let (part, rest) = bytes.split_at_mut(lacking.min(bytes.len()));
            self.keep(part, self.assembled.saturating_add(whole));
            bytes = rest;
        }
    }

    /// A frame that lies whole in the caller's buffer: nothing is copied unless it is a fragment.
    fn whole_frame(
        &mut self,
        head: Head,
        payload: &mut [u8],
        on_message: &mut impl FnMut(Message<'_>) -> Flow,
    ) -> Result<Flow, FrameError> {
        unmask(payload, head.key);
        match head.opcode {
            Opcode::Text if head.fin => Ok(on_message(Message::Text(text(payload)?))),
            Opcode::Binary if head.fin => Ok(on_message(Message::Binary(payload))),
            Opcode::Text | Opcode::Binary | Opcode::Continuation => {
                self.keep(payload, self.limit as usize);
                self.fragment(head, on_message)
            }
            Opcode::Close | Opcode::Ping | Opcode::Pong => self.control(head, payload, on_message),
        }
    }

    /// The frame behind the assembled bytes is whole.
    fn kept_frame(
        &mut self,
        head: Head,
        on_message: &mut impl FnMut(Message<'_>) -> Flow,
    ) -> Result<Flow, FrameError> {
        let mut held = mem::take(&mut self.held);
        let start = self.assembled.saturating_add(head.size);
        let payload = held.get_mut(start..).unwrap_or_default();
        if head.opcode.is_control() || (head.fin && self.state == State::Between) {
            let flow = self.whole_frame(head, payload, on_message)?;
            if self.assembled > 0 {
                held.truncate(self.assembled);
                self.held = held;
            }
            return Ok(flow);
        }
        unmask(payload, head.key);
        held.drain(self.assembled..start);
        self.held = held;
        self.fragment(head, on_message)
    }

    /// The payload of a data frame has joined the fragments before it, if any.
    fn fragment(
        &mut self,
        head: Head,
        on_message: &mut impl FnMut(Message<'_>) -> Flow,
    ) -> Result<Flow, FrameError> {
        self.assembled = self.held.len();
        match head.opcode {
            Opcode::Text => self.state = State::InText,
            Opcode::Binary => self.state = State::InBinary,
            _ => {}
        }
        let is_text = self.state == State::InText;
        if !head.fin {
            return if is_text { self.check_text() } else { Ok(ControlFlow::Continue(())) };
        }
        let message = mem::take(&mut self.held);
        (self.assembled, self.valid, self.state) = (0, 0, State::Between);
        Ok(on_message(if is_text {
            Message::Text(text(&message)?)
        } else {
            Message::Binary(&message)
        }))
    }

    /// Refuses bad text before the message ends; a character may still lack its last bytes.
    fn check_text(&mut self) -> Result<Flow, FrameError> {
        let unchecked = self.held.get(self.valid as usize..).unwrap_or_default();
        let good = match str::from_utf8(unchecked) {
            Ok(_) => unchecked.len(),
            Err(error) if error.error_len().is_some() => return Err(FrameError::Utf8),
            Err(error) => error.valid_up_to(),
        };
        self.valid = self.valid.saturating_add(u32::try_from(good).unwrap_or(u32::MAX));
        Ok(ControlFlow::Continue(()))
    }

    fn control(
        &mut self,
        head: Head,
        payload: &[u8],
        on_message: &mut impl FnMut(Message<'_>) -> Flow,
    ) -> Result<Flow, FrameError> {
        Ok(on_message(match head.opcode {
            Opcode::Ping => Message::Ping(payload),
            Opcode::Pong => Message::Pong(payload),
            _ => {
                self.state = State::Ended;
                Message::Close(close(payload)?)
            }
        }))
    }

    /// Keeps bytes of something that will make `held` at most `most` long. Doubles like a `Vec`, but
    /// never beyond that, so that the limit bounds memory and not only content.
    fn keep(&mut self, bytes: &[u8], most: usize) {
        let needed = self.held.len().saturating_add(bytes.len());
        if needed > self.held.capacity() {
            let size = needed.max(self.held.capacity().saturating_mul(2).min(most));
            self.held.reserve_exact(size.saturating_sub(self.held.len()));
        }
        self.held.extend_from_slice(bytes);
    }
}

fn text(payload: &[u8]) -> Result<&str, FrameError> {
    str::from_utf8(payload).map_err(|_| FrameError::Utf8)
}

/// Code and reason of a close (RFC 6455, sections 5.5.1 and 7.4; 1012 to 1014 came later, by IANA).
fn close(payload: &[u8]) -> Result<Option<(u16, &str)>, FrameError> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return if payload.is_empty() { Ok(None) } else { Err(FrameError::Close) };
    };
    match u16::from_be_bytes(*code) {
        code @ (1000..=1003 | 1007..=1014 | 3000..=4999) => Ok(Some((code, text(reason)?))),
        _ => Err(FrameError::Close),
    }
}

const _: () = assert!(size_of::<Reader>() <= 48);
