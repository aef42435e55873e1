//! Development mode: what to run on when there are no settings.

use tempfile::TempDir;

use super::{Settings, SettingsError, Sources, validate, wire};
use crate::{
    auth::{Mode, Secret},
    store::saved::StorageUrl,
};

/// The one group of development mode.
pub const DEVELOPMENT_GROUP: &str = "12345";

/// What development mode made up. Nothing of it is printed; the app uses it for its own demo pages.
#[derive(Debug)]
pub struct Development {
    /// The API key of the group.
    pub api_key: Secret,
    /// The key of the group's partner, whose id is the group's.
    pub partner_key: Secret,
    /// Holds the storage; removed when this is dropped.
    pub folder: TempDir,
}

/// Fills in fresh keys and one group. The environment and flags may still set all else.
pub(super) fn settings(mut wire: wire::Wire, sources: &Sources) -> Result<Settings, SettingsError> {
    let folder =
        tempfile::Builder::new().prefix("vestibule-").tempdir().map_err(SettingsError::Folder)?;
    let (api_key, partner_key) = (Secret::generate(), Secret::generate());
    wire.auth.signing_key = Some(Secret::generate());
    wire.groups = vec![wire::Group {
        id: DEVELOPMENT_GROUP.into(),
        name: Some("Development".into()),
        api_keys: vec![api_key.clone()],
        partner_key: Some(partner_key.clone()),
        // Whoever asks is on this machine.
        facades: wire::GroupFacades { genesys: super::Trust::Code, ..Default::default() },
        ..Default::default()
    }];
    let own_storage = wire.storage.url == wire::Storage::default().url;
    let mut settings = validate::settings(wire, sources, Mode::Development)?;
    if !settings.server.bind.ip().is_loopback() {
        let rule = "without a settings file only a loopback address is served (127.0.0.1:8080)";
        return Err(SettingsError::key("server.bind", rule));
    }
    if own_storage {
        settings.storage = StorageUrl::Sqlite(folder.path().join("vestibule.db"));
    }
    settings.development = Some(Development { api_key, partner_key, folder });
    Ok(settings)
}
