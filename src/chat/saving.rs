//! Carries chats, and who was available for them, over a restart (design section 2.8).

use super::{
    conversation::{Conversation, command::Command},
    handle::Chat,
    staff::{self, Staff},
};
use crate::{
    model::ids::{GroupId, VisitorKey},
    presence::saving::{restore, rows},
    store::{
        Engine, Expect, Record,
        saved::{Boot, SavedState, StorageError},
    },
};

/// Saves all chats, and who is there; both change no more from now on. Gives the number of records.
///
/// # Errors
/// The storage cannot be written.
pub async fn save(chat: &Chat, storage: &SavedState) -> Result<u64, StorageError> {
    chat.conversations().seal();
    chat.staff().seal();
    let chats = storage.save_all(Conversation::KIND, rows(chat.conversations())).await?;
    let staff = storage.save_all(Staff::KIND, rows(chat.staff())).await?;
    Ok(chats + staff)
}

/// Takes over what the last process saved, if it ended well; gives the number of records. Every agent is waited for, with
/// a fresh grace, and buttons stay enabled meanwhile.
///
/// # Errors
/// The storage cannot be read.
pub async fn load(chat: &Chat, storage: &SavedState, boot: Boot) -> Result<u64, StorageError> {
    let chats = storage.take_all(Conversation::KIND).await?;
    let staff = storage.take_all(Staff::KIND).await?;
    if !boot.clean {
        return Ok(0);
    }
    let mut loaded = 0;
    for (key, row) in &chats {
        let key: Option<VisitorKey> = restore(chat.conversations(), key, row);
        let Some(key) = key else { continue };
        loaded += 1;
        chat.conversations().submit(key, Expect::Any, Command::Resume, Box::new(|_| ()));
    }
    for (key, row) in &staff {
        let key: Option<GroupId> = restore(chat.staff(), key, row);
        let Some(key) = key else { continue };
        loaded += 1;
        let resume = staff::Command::Resume;
        chat.staff().submit(key.clone(), Expect::Any, resume, Box::new(|_| ()));
        let lost = staff::Command::NodeLost { node: chat.node().node, before: boot.incarnation };
        chat.staff().submit(key, Expect::Any, lost, Box::new(|_| ()));
    }
    Ok(loaded)
}
