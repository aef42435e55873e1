//! Keys and issuers as a part of the settings that is read again while the process runs.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use crate::{
    auth::{Mode, TokenService},
    reload::Part,
    settings::{self, Settings},
};

/// The part, unless the keys were made up for development. What else the settings say waits for a restart; that all of
/// it must be free of errors keeps a half-written file out.
#[must_use]
pub fn part(settings: &Settings, tokens: &Arc<TokenService>) -> Option<Part> {
    if settings.mode == Mode::Development {
        return None;
    }
    let (sources, tokens) = (settings.sources.clone(), Arc::clone(tokens));
    let files = Rc::new(RefCell::new(settings.auth.files.clone()));
    let watched = Rc::clone(&files);
    Some(Part {
        name: "keys",
        reload: Box::new(move || {
            let auth = settings::load(&sources)?.auth;
            tokens.believe(auth.believed());
            files.replace(auth.files);
            Ok(())
        }),
        files: Box::new(move || watched.borrow().clone()),
    })
}
