//! The AsyncAPI 3 document of the native sockets.

use serde_json::{Value, json};

/// The document.
pub fn document() -> Value {
    json!({"asyncapi": "3.0.0", "info": {"title": "Vestibule", "version": env!("CARGO_PKG_VERSION")}})
}
