//! Reads what a page sends: the fields that a message has, each by its rule.

use std::borrow::Cow;

use super::{
    CodePurpose, Hello, MAX_FAILURE_BYTES, MAX_MESSAGE_BYTES, MAX_TITLE_BYTES, MAX_URL_BYTES,
    PageTitle, SessionEnd, Signature, StartSession, Terms, VisitorKind, VisitorMessage,
};
use crate::model::{
    cobrowse::{ConsentTo, Labels, code_digits},
    error::Problem,
    event::{EventKind, VisitorError},
    help::MAX_HELP_BYTES,
    ids::{Reference, VisitorId},
    json::{Json, sentence},
    presence::PresenceUpdate,
    protocol::{
        Fields, Numbered, Unreadable, chats::VisitorChat, read, stream::MAX_END_BYTES, topics,
    },
    signal::InvokeFailure,
};

impl VisitorMessage {
    /// Reads a message.
    ///
    /// # Errors
    /// Names the field and the rule that it breaks.
    pub fn read(text: &str) -> Result<Numbered<Self>, Unreadable> {
        read(text, convert)
    }
}

fn convert(fields: Fields<'_>) -> Result<VisitorMessage, Problem> {
    let kind = VisitorKind::of(&fields.kind).ok_or_else(|| fields.unknown())?;
    Ok(match kind {
        VisitorKind::Hello => VisitorMessage::Hello(Box::new(Hello {
            visitorid: Fields::parsed(fields.visitorid.as_ref(), "visitorid")?,
            signature: signature(&fields),
            ticket: fields.ticket.as_deref().map(Into::into),
            from: from(&fields)?,
            tab: Fields::parsed(fields.tab.as_ref(), "tab")?,
            page: Fields::parsed(fields.page.as_ref(), "page")?,
            visible: Fields::required(fields.visible, "visible")?,
            listen: fields.listen.unwrap_or(true),
            seen: Fields::ids(fields.seen.as_ref(), "seen")?,
            data: fields.data.as_ref().map(flat).transpose()?,
        })),
        VisitorKind::Listen => VisitorMessage::Listen,
        VisitorKind::Presence => {
            VisitorMessage::Presence(flat(Fields::required(fields.data.as_ref(), "data")?)?)
        }
        VisitorKind::Visibility => {
            VisitorMessage::Visibility(Fields::required(fields.visibility, "visibility")?)
        }
        VisitorKind::Activity => VisitorMessage::Activity,
        VisitorKind::Ack => {
            let ids = Fields::ids(fields.ids.as_ref(), "ids")?;
            if ids.is_empty() {
                return Err(Problem::field("ids", "is missing"));
            }
            VisitorMessage::Ack(ids)
        }
        VisitorKind::Failed => {
            let code = Fields::required(fields.code.as_deref(), "code")?;
            if !matches!(code, "unknownfunction" | "forbiddenfunction" | "exception") {
                let rule = "must be unknownfunction, forbiddenfunction or exception";
                return Err(Problem::field("code", rule));
            }
            let msg = fields.msg.as_deref().unwrap_or_default();
            if msg.len() > MAX_FAILURE_BYTES {
                let rule = format!("must have at most {MAX_FAILURE_BYTES} bytes");
                return Err(Problem::field("msg", rule));
            }
            let id = Fields::parsed(fields.id.as_ref(), "id")?;
            let failure = InvokeFailure { code: code.into(), msg: msg.into() };
            VisitorMessage::Failed(id, failure)
        }
        VisitorKind::Terms => {
            let Terms { status } = typed(Fields::required(fields.data.as_ref(), "data")?, "data")?;
            VisitorMessage::Report(EventKind::Terms { status })
        }
        VisitorKind::SessionStart => {
            let update = fields.data.as_ref().map(flat).transpose()?.unwrap_or_default();
            VisitorMessage::Report(EventKind::VisitorSessionStart(update))
        }
        VisitorKind::SessionEnd => {
            let SessionEnd { reason } =
                typed(Fields::required(fields.data.as_ref(), "data")?, "data")?;
            VisitorMessage::Report(EventKind::VisitorSessionEnd { reason })
        }
        VisitorKind::Error => {
            let error: VisitorError =
                typed(Fields::required(fields.data.as_ref(), "data")?, "data")?;
            error.check()?;
            VisitorMessage::Report(EventKind::VisitorError(error))
        }
        VisitorKind::Unique => {
            let purpose = match (fields.lookup.unwrap_or(false), fields.contact.unwrap_or(false)) {
                (true, true) => {
                    return Err(Problem::field("contact", "must not stand beside lookup"));
                }
                (true, false) => CodePurpose::Lookup,
                (false, true) => CodePurpose::Contact,
                (false, false) => CodePurpose::Reach,
            };
            VisitorMessage::Unique { purpose }
        }
        VisitorKind::ExtendUnique => VisitorMessage::ExtendUnique,
        VisitorKind::Identify => {
            let known = Fields::parsed(fields.visitorid.as_ref(), "visitorid")?;
            VisitorMessage::Identify { known, signature: signature(&fields) }
        }
        VisitorKind::StartSession => VisitorMessage::StartSession(Box::new(StartSession {
            agreed: fields.agreed.unwrap_or_default(),
            with_code: fields.withcode.unwrap_or_default(),
            digits: code_digits(fields.digits)?,
            labels: Labels {
                reference: label(fields.reference.as_ref(), "reference")?,
                reportingid: label(fields.reportingid.as_ref(), "reportingid")?,
            },
        })),
        VisitorKind::Enter => VisitorMessage::Enter {
            session: Fields::parsed(fields.session.as_ref(), "session")?,
            page: page(&fields)?,
            agreed: fields.agreed.unwrap_or_default(),
        },
        VisitorKind::Navigate => VisitorMessage::Navigate(page(&fields)?),
        VisitorKind::Message => {
            let data = Fields::required(fields.data, "data")?;
            if data.text().len() > MAX_MESSAGE_BYTES {
                let rule = format!("must have at most {MAX_MESSAGE_BYTES} bytes");
                return Err(Problem::field("data", rule));
            }
            VisitorMessage::Message(data)
        }
        VisitorKind::Consent => VisitorMessage::Consent {
            to: match Fields::required(fields.to.as_deref(), "to")? {
                "view" => ConsentTo::View,
                "control" => ConsentTo::Control,
                _ => return Err(Problem::field("to", "must be view or control")),
            },
            given: Fields::required(fields.given, "given")?,
        },
        VisitorKind::Pause => {
            VisitorMessage::Pause { paused: Fields::required(fields.paused, "paused")? }
        }
        VisitorKind::EndSession => {
            let text = fields.text.as_ref();
            let text = text.map(|text| Fields::text(Some(text), "text", MAX_END_BYTES));
            VisitorMessage::EndSession { text: text.transpose()? }
        }
        VisitorKind::AskHelp => {
            let text = fields.text.as_ref();
            let text = text.map(|text| Fields::text(Some(text), "text", MAX_HELP_BYTES));
            VisitorMessage::AskHelp { text: text.transpose()?.unwrap_or_default() }
        }
        VisitorKind::CancelHelp => VisitorMessage::CancelHelp,
        VisitorKind::WatchButtons => VisitorMessage::Chat(VisitorChat::WatchButtons),
        VisitorKind::OpenChat => VisitorMessage::Chat(VisitorChat::open(&fields)?),
        VisitorKind::Say => VisitorMessage::Chat(VisitorChat::say(&fields)?),
        VisitorKind::CloseChat => VisitorMessage::Chat(VisitorChat::Close),
        VisitorKind::AnswerInvitation => VisitorMessage::Chat(VisitorChat::answer(&fields)?),
        VisitorKind::Typing => VisitorMessage::Chat(VisitorChat::Typing),
        VisitorKind::Publish => VisitorMessage::Topics(topics::publish(&fields)?.into()),
        VisitorKind::Subscribe => VisitorMessage::Topics(topics::subscribe(&fields)?.into()),
        VisitorKind::Unsubscribe => VisitorMessage::Topics(topics::unsubscribe(&fields)?.into()),
        VisitorKind::Disconnect => VisitorMessage::Disconnect,
    })
}

fn label(text: Option<&Cow<'_, str>>, name: &'static str) -> Result<Option<Reference>, Problem> {
    text.map(|text| Fields::parsed(Some(text), name)).transpose()
}

fn page(fields: &Fields<'_>) -> Result<PageTitle, Problem> {
    Ok(PageTitle {
        url: Fields::text(fields.url.as_ref(), "url", MAX_URL_BYTES)?,
        title: Fields::text(fields.title.as_ref(), "title", MAX_TITLE_BYTES)?,
    })
}

fn signature(fields: &Fields<'_>) -> Option<Signature> {
    fields.signature.as_deref().map(Signature::from)
}

fn from(fields: &Fields<'_>) -> Result<Option<VisitorId>, Problem> {
    let from = fields.from.as_ref().map(|from| Fields::parsed(Some(from), "from")).transpose()?;
    if from.as_ref().is_some_and(|from: &VisitorId| !from.is_anonymous()) {
        return Err(Problem::field("from", "must be an anonymous id"));
    }
    Ok(from)
}

fn flat(data: &Json) -> Result<PresenceUpdate, Problem> {
    PresenceUpdate::from_json(typed(data, "data")?, "data")
}

fn typed<T: serde::de::DeserializeOwned>(data: &Json, field: &str) -> Result<T, Problem> {
    // To keep track of the place costs more than the reading: only what is wrong is read again that way.
    if let Ok(value) = serde_json::from_str(data.text()) {
        return Ok(value);
    }
    let mut deserializer = serde_json::Deserializer::from_str(data.text());
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let field = if path == "." { field.to_owned() } else { format!("{field}.{path}") };
        Problem::field(field, sentence(error.inner()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::error::ErrorCode;

    fn problem(text: &str) -> (Option<u64>, Option<String>) {
        let unreadable = VisitorMessage::read(text).unwrap_err();
        assert_ne!(unreadable.problem.code, ErrorCode::Internal);
        (unreadable.request, unreadable.problem.field)
    }

    #[test]
    fn a_hello_is_read() {
        let text = r#"{"type":"hello","visitorid":"ada","tab":"t1","page":"p1","visible":true,
            "seen":["0190163d8694739b8a8c1e7ee7a2b3c4"],"data":{"url":"https://a/"},"more":1}"#;
        let Ok(Numbered { message: VisitorMessage::Hello(hello), .. }) = VisitorMessage::read(text)
        else {
            panic!("not a hello")
        };
        assert_eq!(hello.visitorid.as_str(), "ada");
        assert!(hello.listen, "listening is the default");
        assert_eq!(hello.seen.len(), 1);
    }

    #[test]
    fn errors_name_the_field_and_the_request() {
        let field = |name: &str| Some(name.to_owned());
        assert_eq!(problem("nonsense").1, field("message"));
        assert_eq!(problem("[]").1, field("message"));
        assert_eq!(problem(r#"{"type":"presence","request":3}"#), (Some(3), field("data")));
        assert_eq!(
            problem(r#"{"type":"presence","request":3,"data":{"a":{}}}"#),
            (Some(3), field("data.a"))
        );
        assert_eq!(problem(r#"{"type":"hello","visitorid":"a b"}"#).1, field("visitorid"));
        assert_eq!(problem(r#"{"type":"visibility","visibility":"gone"}"#).1, field("visibility"));
        assert_eq!(problem(r#"{"type":"visibility","visibility":1}"#).1, field("visibility"));
        assert_eq!(problem(r#"{"type":"terms","data":{"status":1}}"#).1, field("data.status"));
        assert_eq!(problem(r#"{"type":"ack","ids":["x"]}"#).1, field("ids"));
        assert_eq!(problem(r#"{"type":"nothing"}"#).1, field("type"));
        assert_eq!(problem(r#"{"type":"activity","request":0}"#).1, field("request"));
        let of_another_type = r#"{"type":"visibility","request":4,"visibility":1}"#;
        assert_eq!(problem(of_another_type), (Some(4), field("visibility")));
    }
}
