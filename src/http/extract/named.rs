//! What a path names.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use serde::de::DeserializeOwned;

use super::parse;
use crate::{
    http::error::ApiError,
    model::{
        error::{ErrorCode, Problem},
        ids::{ChatId, GroupId, SessionId, SessionKey, SignalId, VisitorId, VisitorKey},
    },
};

/// What the path names, in its order, each by its rule; errors name the field. To stand behind the bearer: who has no token
/// learns no rules.
pub struct Named<T>(pub T);

impl<T: OfPath> FromRequest for Named<T> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let words = web::Path::<T::Words>::from_request(request, payload).into_inner();
        let missing =
            |_| Problem::new(ErrorCode::Internal, "the path lacks what its handler names");
        let named = words.map_err(missing).and_then(|words| T::read(words.into_inner()));
        ready(named.map(Self).map_err(ApiError))
    }
}

/// Something that paths name.
pub trait OfPath: Sized {
    /// As it is written: a text, or several.
    type Words: DeserializeOwned;

    /// Reads it.
    ///
    /// # Errors
    /// `badrequest` with the field's name.
    fn read(words: Self::Words) -> Result<Self, Problem>;
}

/// One of several that a path names.
pub trait Word: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// `badrequest` with the field's name.
    fn read(text: String) -> Result<Self, Problem>;
}

macro_rules! words {
    ($($id:ty),*) => {$(
        impl Word for $id {
            fn read(text: String) -> Result<Self, Problem> {
                parse(&text)
            }
        }
    )*};
}

words!(ChatId, SessionId, SignalId, VisitorId);

/// Has no rule: whoever looks it up says that there is none.
impl Word for String {
    fn read(text: String) -> Result<Self, Problem> {
        Ok(text)
    }
}

impl OfPath for GroupId {
    type Words = String;

    fn read(group: String) -> Result<Self, Problem> {
        parse(&group)
    }
}

impl<T: Word> OfPath for (GroupId, T) {
    type Words = (String, String);

    fn read((group, one): Self::Words) -> Result<Self, Problem> {
        Ok((parse(&group)?, T::read(one)?))
    }
}

impl<T: Word, U: Word> OfPath for (GroupId, T, U) {
    type Words = (String, String, String);

    fn read((group, one, other): Self::Words) -> Result<Self, Problem> {
        Ok((parse(&group)?, T::read(one)?, U::read(other)?))
    }
}

impl OfPath for VisitorKey {
    type Words = (String, String);

    fn read(words: Self::Words) -> Result<Self, Problem> {
        OfPath::read(words).map(|(group, visitor)| Self { group, visitor })
    }
}

impl OfPath for SessionKey {
    type Words = (String, String);

    fn read(words: Self::Words) -> Result<Self, Problem> {
        OfPath::read(words).map(|(group, session)| Self { group, session })
    }
}

impl<T: Word> OfPath for (VisitorKey, T) {
    type Words = (String, String, String);

    fn read((group, visitor, one): Self::Words) -> Result<Self, Problem> {
        Ok((VisitorKey::read((group, visitor))?, T::read(one)?))
    }
}
