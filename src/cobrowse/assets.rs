//! The pictures, fonts and style sheets of the visitor's pages, captured by his browser because they may need his login.
//! Kept in memory for the session, each content once.
//!
//! A page names its assets by numbers; it tells what an asset is before it sends it, so that what another page of the
//! session brought is not sent again.

use std::collections::HashMap;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::model::{
    error::{ErrorCode, Problem},
    protocol::stream::Content,
};

/// How much is kept of one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AssetLimits {
    /// Bytes of one asset.
    pub bytes: u64,
    /// Bytes of all.
    pub total_bytes: u64,
    /// Assets, over all pages.
    pub assets: usize,
}

/// A content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its media type.
    pub content_type: Box<str>,
    /// It.
    pub bytes: Bytes,
}

/// What is known of an asset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is here.
    Here(Stored),
    /// It may yet come.
    NotYet,
    /// It will not come.
    Missing,
}

/// A session's assets.
#[derive(Debug)]
pub struct Assets {
    limits: AssetLimits,
    /// By page and number; `None`: it cannot be had.
    names: HashMap<(u32, u32), Option<[u8; 32]>>,
    contents: HashMap<[u8; 32], State>,
    /// Of those that are here, and of those that are on their way.
    bytes: u64,
}

#[derive(Debug)]
enum State {
    Wanted { content_type: Box<str>, bytes: u64 },
    Here(Stored),
}

impl Assets {
    /// None.
    #[must_use]
    pub fn new(limits: AssetLimits) -> Self {
        Self { limits, names: HashMap::new(), contents: HashMap::new(), bytes: 0 }
    }

    /// A page says what its asset `asset` is. Whether it is to send it.
    ///
    /// # Errors
    /// Names the field and the rule: the type is not one of pictures, fonts and style sheets, or it is too much. The asset
    /// is missing then.
    pub fn announce(&mut self, epoch: u32, asset: u32, content: Content) -> Result<bool, Problem> {
        let checked = self.check(epoch, asset, &content);
        if self.names.len() < self.limits.assets {
            self.names.insert((epoch, asset), checked.is_ok().then_some(content.sha256));
        }
        checked?;
        if self.contents.contains_key(&content.sha256) {
            return Ok(false);
        }
        let Content { sha256, content_type, bytes } = content;
        self.bytes += bytes;
        self.contents.insert(sha256, State::Wanted { content_type, bytes });
        Ok(true)
    }

    fn check(&self, epoch: u32, asset: u32, content: &Content) -> Result<(), Problem> {
        let Content { sha256, content_type, bytes } = content;
        if !is_shown(content_type) {
            let rule = "must be that of a picture, a font or a style sheet";
            return Err(Problem::field("content_type", rule));
        }
        if *bytes > self.limits.bytes {
            let sentence = format!("an asset may have {} bytes", self.limits.bytes);
            return Err(Problem { code: ErrorCode::TooLarge, ..Problem::field("bytes", sentence) });
        }
        let is_known = self.contents.contains_key(sha256);
        if !is_known && self.bytes + bytes > self.limits.total_bytes {
            let sentence = format!("a session's assets may have {} bytes", self.limits.total_bytes);
            return Err(Problem { code: ErrorCode::TooLarge, ..Problem::field("bytes", sentence) });
        }
        if !self.names.contains_key(&(epoch, asset)) && self.names.len() >= self.limits.assets {
            let sentence = format!("a session may have {} assets", self.limits.assets);
            return Err(Problem::new(ErrorCode::TooMany, sentence));
        }
        Ok(())
    }

    /// A page cannot have its asset.
    pub fn missing(&mut self, epoch: u32, asset: u32) {
        if self.names.len() < self.limits.assets {
            self.names.insert((epoch, asset), None);
        }
    }

    /// A content that was wanted comes.
    ///
    /// # Errors
    /// `badrequest` when it is not what it was said to be; `notfound` when nobody announced it.
    pub fn put(&mut self, sha256: [u8; 32], content: Bytes) -> Result<(), Problem> {
        let (content_type, bytes) = match self.contents.get(&sha256) {
            Some(State::Here(_)) => return Ok(()),
            Some(State::Wanted { content_type, bytes }) => (content_type.clone(), *bytes),
            None => {
                let sentence = "nobody said that this asset would come";
                return Err(Problem::new(ErrorCode::NotFound, sentence));
            }
        };
        if u64::try_from(content.len()) != Ok(bytes) || *Sha256::digest(&content) != sha256 {
            return Err(Problem::field("body", "must be what its announcement says"));
        }
        self.contents.insert(sha256, State::Here(Stored { content_type, bytes: content }));
        Ok(())
    }

    /// A page's asset.
    #[must_use]
    pub fn get(&self, epoch: u32, asset: u32) -> Found {
        match self.names.get(&(epoch, asset)) {
            None => Found::NotYet,
            Some(None) => Found::Missing,
            Some(Some(sha256)) => match self.contents.get(sha256) {
                Some(State::Here(stored)) => Found::Here(stored.clone()),
                Some(State::Wanted { .. }) => Found::NotYet,
                None => Found::Missing,
            },
        }
    }

    /// Bytes that are here or on their way.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// Whether a browser only shows what has this type. SVG may hold scripts: whoever serves it must forbid them.
fn is_shown(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let is_subtype = |rest: &str| {
        !rest.is_empty() && rest.bytes().all(|c| c.is_ascii_alphanumeric() || b"+-.".contains(&c))
    };
    let in_family = |family: &str| essence.strip_prefix(family).is_some_and(is_subtype);
    essence == "text/css" || in_family("image/") || in_family("font/")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: AssetLimits = AssetLimits { bytes: 100, total_bytes: 250, assets: 4 };

    fn content(body: &str, content_type: &str) -> Content {
        let sha256 = Sha256::digest(body).into();
        Content { sha256, content_type: content_type.into(), bytes: body.len() as u64 }
    }

    fn png(body: &str) -> Content {
        content(body, "image/png")
    }

    #[test]
    fn a_content_is_sent_once_whatever_its_names() {
        let mut assets = Assets::new(LIMITS);
        assert_eq!(assets.get(1, 1), Found::NotYet);
        assert_eq!(assets.announce(1, 1, png("logo")), Ok(true));
        assert_eq!(assets.get(1, 1), Found::NotYet);
        assets.put(png("logo").sha256, "logo".into()).unwrap();
        assert_eq!(assets.announce(2, 9, png("logo")), Ok(false));
        let logo = Stored { content_type: "image/png".into(), bytes: "logo".into() };
        assert_eq!(assets.get(1, 1), Found::Here(logo.clone()));
        assert_eq!(assets.get(2, 9), Found::Here(logo));
        assets.missing(2, 10);
        assert_eq!(assets.get(2, 10), Found::Missing);
        assert_eq!(assets.bytes(), 4);
    }

    #[test]
    fn what_comes_must_be_what_was_announced() {
        let mut assets = Assets::new(LIMITS);
        let refused = assets.put(png("logo").sha256, "logo".into()).unwrap_err();
        assert_eq!(refused.code, ErrorCode::NotFound);
        assets.announce(1, 1, png("logo")).unwrap();
        let refused = assets.put(png("logo").sha256, "lago".into()).unwrap_err();
        assert_eq!(refused.field.as_deref(), Some("body"));
        assert_eq!(assets.get(1, 1), Found::NotYet);
    }

    #[test]
    fn only_what_is_shown_and_no_more_than_fits() {
        let mut assets = Assets::new(LIMITS);
        let mut refused = |asset, content| {
            let problem = assets.announce(1, asset, content).unwrap_err();
            (problem.code, problem.field.unwrap_or_default())
        };
        for bad in ["text/html", "image/", "image/png/x", "application/javascript", "image/a b"] {
            assert_eq!(refused(1, content("x", bad)).1, "content_type", "{bad}");
        }
        assert_eq!(refused(2, png(&"x".repeat(101))), (ErrorCode::TooLarge, "bytes".to_owned()));
        let fill = |assets: &mut Assets, text: &str, asset| {
            assets.announce(1, asset, png(&text.repeat(100)))
        };
        assert_eq!(fill(&mut assets, "a", 1), Ok(true));
        assert_eq!(fill(&mut assets, "b", 2), Ok(true));
        assert_eq!(fill(&mut assets, "c", 3).unwrap_err().code, ErrorCode::TooLarge);
        assert_eq!(assets.get(1, 3), Found::Missing, "nobody waits for it");
        assert_eq!(assets.announce(1, 4, png("d")), Ok(true));
        assert_eq!(assets.announce(1, 5, png("e")).unwrap_err().code, ErrorCode::TooMany);
    }
}
