//! Text messages of `/v1/stream`. What is streamed itself is binary, see `cobrowse::envelope`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Fields, Numbered, Unreadable, read};
use crate::model::{
    cobrowse::{ConsentState, MemberView, PageView, Permissions, Role, UserId, ViewState},
    error::Problem,
    ids::{SessionId, TabId, VisitorId},
};

kinds! {
    /// What the two ends of a stream may send, by `type`.
    StreamKind {
        /// The first message: what the socket is for.
        Hello = "hello",
        /// A page's asset has this content. Answered by `want` where the server lacks it. From pages.
        Asset = "asset",
        /// A page's asset cannot be had. From pages.
        NoAsset = "noasset",
        /// The viewer has lost its thread: a key frame is asked for. From viewers, like all that follow.
        KeyFrame = "keyframe",
        /// Where the agent's cursor is; without `x` and `y` it is gone.
        Cursor = "cursor",
        /// Where the agent's spotlight is; without `x` and `y` it is gone.
        Spotlight = "spotlight",
        /// More of what the agent draws.
        Stroke = "stroke",
        /// The agent asks to work on the visitor's page.
        AskControl = "askcontrol",
        /// He wants that no more.
        ReleaseControl = "releasecontrol",
        /// He hands his seat over to another agent, who is to come by a ticket of his own.
        Transfer = "transfer",
        /// He leaves the session.
        Leave = "leave",
        /// He ends the session.
        End = "end",
    }
}

/// Longest ticket, in bytes.
pub const MAX_TICKET_BYTES: usize = 8_192;
/// Longest subject of a token, in bytes.
pub const MAX_SUBJECT_BYTES: usize = 256;
/// Most points of one message.
pub const MAX_POINTS: usize = 64;
/// Longest words with which a session is ended, in bytes.
pub const MAX_END_BYTES: usize = 800;

/// A place on the visitor's page, in its CSS pixels.
pub type Point = [f32; 2];

/// Something that the agent shows the visitor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Mark {
    /// His cursor, in the layout viewport; gone without a place.
    Cursor {
        /// From the left.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        x: Option<f32>,
        /// From the top.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        y: Option<f32>,
    },
    /// His spotlight, likewise.
    Spotlight {
        /// From the left.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        x: Option<f32>,
        /// From the top.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        y: Option<f32>,
    },
    /// More of a line, from the document's corner, so that it scrolls with the page.
    Stroke {
        /// Numbers the agent's strokes.
        stroke: u32,
        /// `#rrggbb`.
        colour: Box<str>,
        /// What is new of it.
        #[schema(value_type = Vec<Vec<f32>>, max_items = 64)]
        points: Vec<Point>,
        /// Whether it ends here.
        done: bool,
    },
}

/// What comes in on a stream.
#[derive(Clone, Debug, PartialEq)]
pub enum StreamMessage {
    /// What the socket is for.
    Hello {
        /// From `record`, or from REST.
        ticket: Box<str>,
        /// The viewer's tab, so that its reload takes the same seat.
        tab: TabId,
    },
    /// A page's asset has this content.
    Asset {
        /// The page's number for it.
        asset: u32,
        /// What it is.
        content: Content,
    },
    /// A page's asset cannot be had.
    NoAsset {
        /// The page's number for it.
        asset: u32,
    },
    /// A key frame, please.
    KeyFrame,
    /// The agent shows something.
    Mark(Mark),
    /// The agent asks to work on the page.
    AskControl,
    /// No more.
    ReleaseControl,
    /// He hands his seat over.
    Transfer {
        /// The subject of the agent who is to come.
        to: Box<str>,
    },
    /// He leaves.
    Leave,
    /// He ends the session.
    End {
        /// Words for people.
        text: Option<Box<str>>,
    },
}

/// What an asset is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Its SHA-256.
    pub sha256: [u8; 32],
    /// Its media type.
    pub content_type: Box<str>,
    /// Its length, in bytes.
    pub bytes: u64,
}

impl StreamMessage {
    /// Reads a message.
    ///
    /// # Errors
    /// Names the field and the rule that it breaks.
    pub fn read(text: &str) -> Result<Numbered<Self>, Unreadable> {
        read(text, convert)
    }
}

fn convert(fields: Fields<'_>) -> Result<StreamMessage, Problem> {
    let kind = StreamKind::of(&fields.kind).ok_or_else(|| fields.unknown())?;
    Ok(match kind {
        StreamKind::Hello => StreamMessage::Hello {
            ticket: Fields::text(fields.ticket.as_ref(), "ticket", MAX_TICKET_BYTES)?,
            tab: Fields::parsed(fields.tab.as_ref(), "tab")?,
        },
        StreamKind::Asset => StreamMessage::Asset {
            asset: Fields::required(fields.asset, "asset")?,
            content: content(&fields)?,
        },
        StreamKind::NoAsset => {
            StreamMessage::NoAsset { asset: Fields::required(fields.asset, "asset")? }
        }
        StreamKind::KeyFrame => StreamMessage::KeyFrame,
        StreamKind::Cursor => {
            let (x, y) = place(&fields)?;
            StreamMessage::Mark(Mark::Cursor { x, y })
        }
        StreamKind::Spotlight => {
            let (x, y) = place(&fields)?;
            StreamMessage::Mark(Mark::Spotlight { x, y })
        }
        StreamKind::Stroke => StreamMessage::Mark(stroke(fields)?),
        StreamKind::AskControl => StreamMessage::AskControl,
        StreamKind::ReleaseControl => StreamMessage::ReleaseControl,
        StreamKind::Transfer => StreamMessage::Transfer {
            to: Fields::text(fields.to.as_ref(), "to", MAX_SUBJECT_BYTES)?,
        },
        StreamKind::Leave => StreamMessage::Leave,
        StreamKind::End => {
            let text = fields.text.as_ref();
            let text = text.map(|text| Fields::text(Some(text), "text", MAX_END_BYTES));
            StreamMessage::End { text: text.transpose()? }
        }
    })
}

fn content(fields: &Fields<'_>) -> Result<Content, Problem> {
    let sha256 = Fields::required(fields.sha256.as_deref(), "sha256")?;
    Ok(Content {
        sha256: sha256_of(sha256)
            .ok_or_else(|| Problem::field("sha256", "must be 64 lower-case hexadecimal digits"))?,
        content_type: Fields::text(fields.content_type.as_ref(), "content_type", 128)?,
        bytes: Fields::required(fields.bytes, "bytes")?,
    })
}

/// The 32 bytes that 64 lower-case hexadecimal digits write.
#[must_use]
pub fn sha256_of(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * place..2 * place + 2)?, 16).ok()?;
    }
    Some(bytes)
}

fn place(fields: &Fields<'_>) -> Result<(Option<f32>, Option<f32>), Problem> {
    match (fields.x, fields.y) {
        (Some(x), Some(y)) => Ok((Some(finite(x, "x")?), Some(finite(y, "y")?))),
        (None, None) => Ok((None, None)),
        (None, Some(_)) => Err(Problem::field("x", "is missing")),
        (Some(_), None) => Err(Problem::field("y", "is missing")),
    }
}

fn finite(number: f32, field: &'static str) -> Result<f32, Problem> {
    if number.is_finite() {
        return Ok(number);
    }
    Err(Problem::field(field, "must be a number of pixels"))
}

fn stroke(fields: Fields<'_>) -> Result<Mark, Problem> {
    let colour = Fields::required(fields.colour.as_deref(), "colour")?;
    let is_colour = colour.strip_prefix('#').is_some_and(|digits| {
        digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
    });
    if !is_colour {
        return Err(Problem::field("colour", "must be # and six hexadecimal digits"));
    }
    let colour = colour.into();
    let points = Fields::required(fields.points, "points")?;
    if points.len() > MAX_POINTS {
        return Err(Problem::field("points", format!("must have at most {MAX_POINTS} points")));
    }
    for number in points.iter().flatten() {
        finite(*number, "points")?;
    }
    let stroke = Fields::required(fields.stroke, "stroke")?;
    Ok(Mark::Stroke { stroke, colour, points, done: fields.done.unwrap_or_default() })
}

/// What the server sends on a stream, besides what is streamed, session events, errors and go-aways.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ToStream {
    /// The ticket is good.
    Welcome(Box<StreamWelcome>),
    /// To a page: a key frame is needed.
    KeyFrame,
    /// To a page: the server lacks this asset; it is to be put to `/v1/assets/{sha256}`.
    Want {
        /// Which content.
        sha256: String,
    },
    /// To a viewer: parts were dropped because it reads too slowly. A key frame follows.
    Gap {
        /// Of which page.
        epoch: u32,
    },
    /// To a viewer: the server that the nodes share is away, or is back. Told when that changes, at most once a second, and
    /// behind the welcome while it is away.
    Degraded {
        /// Whether it is away: what is seen meanwhile may be old.
        degraded: bool,
    },
    /// A request is done.
    Ok {
        /// The request's number.
        request: u64,
        /// Whether the server that the nodes share is away: what is told may be old, or not kept.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        #[schema(required = false)]
        degraded: bool,
    },
}

/// What an agent shows, as the visitor's page gets it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MarkOf {
    /// Who.
    pub user: UserId,
    /// What he is called.
    pub name: Box<str>,
    /// What.
    #[serde(flatten)]
    #[schema(inline)]
    pub mark: Mark,
}

/// How a stream begins.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct StreamWelcome {
    /// What the socket is in the session.
    pub role: Role,
    /// The session.
    pub session: SessionId,
    /// The visitor's page, for a page; its number.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub epoch: Option<u32>,
    /// The longest message that a page may send, in bytes; longer payloads are to be cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub max_message_bytes: Option<usize>,
    /// What a viewer comes into.
    #[serde(flatten)]
    #[schema(inline)]
    pub seat: Option<Seat>,
}

/// What a viewer comes into; a page's welcome has none of it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Seat {
    /// His number.
    pub user: UserId,
    /// Who shares.
    pub visitorid: VisitorId,
    /// Whether the visitor's pages are seen.
    pub view: ViewState,
    /// How it stands with the consent to that.
    pub consent: ConsentState,
    /// The visitor's pages.
    pub pages: Vec<PageView>,
    /// Who is there, with this one.
    pub members: Vec<MemberView>,
    /// What he may do.
    pub permissions: Permissions,
    /// Takes the same seat again after a reload or a lost connection.
    pub ticket: String,
    /// The page's asset `n` of epoch `e` is at `/watch/assets/{assets}/{e}/{n}`.
    pub assets: String,
}
