//! What operators see: the log here, figures in [`metrics`].

pub mod labels;
pub mod metrics;

use std::io::IsTerminal as _;

pub use self::metrics::Metrics;
use serde::{Deserialize, Serialize};
use tracing_subscriber::{EnvFilter, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

/// Why logging could not start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter breaks the syntax of tracing-subscriber's `EnvFilter`.
    #[error("not a log filter: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Logging had been started before.
    #[error("logging has started already")]
    Started(#[from] tracing_subscriber::util::TryInitError),
}

/// Checks a log filter such as `info,vestibule::sockets=debug`.
///
/// # Errors
/// [`TelemetryError::Filter`].
pub fn check_filter(filter: &str) -> Result<(), TelemetryError> {
    EnvFilter::builder().parse(filter)?;
    Ok(())
}

/// Has panics logged by their place alone: their words may quote what somebody sent.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| tracing::error!("{}", place_of(panic))));
}

fn place_of(panic: &std::panic::PanicHookInfo<'_>) -> String {
    let thread = std::thread::current();
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    format!("thread {} panicked at {place}", thread.name().unwrap_or("without a name"))
}

/// Starts the log, on standard error: standard output belongs to what commands print.
///
/// # Errors
/// A bad filter, or a second call.
pub fn init(format: LogFormat, filter: &str) -> Result<(), TelemetryError> {
    let filter = EnvFilter::builder().parse(filter)?;
    // A file or a journal would keep the colours as signs between the words.
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = if std::io::stderr().is_terminal() { lines } else { lines.with_ansi(false) };
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        LogFormat::Text => registry.with(lines).try_init()?,
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init()?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_by_its_place_and_not_by_its_words() {
        let (sender, told) = std::sync::mpsc::channel();
        let sender = std::sync::Mutex::new(sender);
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let _ = sender.lock().unwrap().send(place_of(panic));
        }));
        let result = std::panic::catch_unwind(|| panic!("a planted {}", "secret"));
        std::panic::set_hook(before);
        assert!(result.is_err());
        // Panics of other tests may have been told too.
        let told: Vec<String> = told.try_iter().collect();
        assert!(told.iter().any(|line| line.contains("src/telemetry/mod.rs")), "{told:?}");
        assert!(told.iter().all(|line| !line.contains("planted")), "{told:?}");
    }

    #[test]
    fn filters_are_checked() {
        assert!(check_filter("info,vestibule::sockets=debug").is_ok());
        assert!(check_filter("vestibule=loud").is_err());
    }
}
