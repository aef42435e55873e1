//! The catalogues of close codes and error codes, as rows of the documents' tables.

use serde::Serialize;

use crate::model::{
    close::{Again, CloseCode},
    error::ErrorCode,
};

/// Both tables, beside the usual fields of a document's `info`.
#[derive(Serialize)]
pub struct Tables {
    #[serde(rename = "x-close-codes")]
    close: Vec<CloseRow>,
    #[serde(rename = "x-error-codes")]
    errors: Vec<ErrorRow>,
}

#[derive(Serialize)]
struct CloseRow {
    number: u16,
    code: &'static str,
    again: Again,
    meaning: &'static str,
}

#[derive(Serialize)]
struct ErrorRow {
    code: &'static str,
    status: u16,
    meaning: &'static str,
}

impl Tables {
    /// The tables.
    pub fn new() -> Self {
        let close = CloseCode::ALL.iter().map(|code| CloseRow {
            number: code.number(),
            code: code.as_str(),
            again: code.again(),
            meaning: code.meaning(),
        });
        let errors = ErrorCode::ALL.iter().map(|code| ErrorRow {
            code: code.as_str(),
            status: code.status(),
            meaning: code.meaning(),
        });
        Self { close: close.collect(), errors: errors.collect() }
    }
}
