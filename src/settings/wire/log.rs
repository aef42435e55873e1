//! `[log]`.

use crate::telemetry::LogFormat;

sections! {
    /// `[log]`
    Log {
        /// `text` or `json`. Default text.
        format: LogFormat = LogFormat::Text,
        /// Which lines are written, in the syntax of tracing's `EnvFilter`. Default info.
        filter: String = "info".into(),
    }
}
