//! `[facades]` and `[groups.facades]`.

use super::forms::optional_text_or_number;
use crate::settings::Trust;

sections! {
    /// `[facades]`
    Facades {
        /// The group of requests that name none. Default: the only group, if there is one.
        #[serde(deserialize_with = "optional_text_or_number")]
        default_group: Option<String> = None,
        /// Whether the Glance interfaces are served. Default true.
        glance: bool = true,
        /// Whether the interface compatible with Oracle's Cobrowse is served. Default true.
        oracle: bool = true,
        /// Whether the Upscope interfaces are served. Default true.
        upscope: bool = true,
        /// Whether the interface compatible with Channel.me is served. Default true.
        channelme: bool = true,
        /// Whether the Genesys Co-browse interfaces are served, to groups that say how. Default true.
        genesys: bool = true,
    }

    /// `[groups.facades]`
    GroupFacades {
        /// How those are trusted who come by the interface of Genesys Co-browse: `off` (not at all), `code` (who knows a
        /// session's token may join it), `token` (as our own tokens say). Default off.
        genesys: Trust = Trust::Off,
        /// Whether a request for a session by its token must say by `Origin` or `Referer` that it comes from one of
        /// `agent_origins`, where there are any. Default true.
        genesys_origins: bool = true,
        /// In whose frames /cobrowse/slave.html may stand, besides `agent_origins`: they may do nothing else. Default none.
        genesys_frames: Vec<String> = Vec::new(),
    }
}
