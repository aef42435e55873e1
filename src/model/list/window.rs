use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model::error::Problem;

/// Most rows of one window.
pub const MAX_SIZE: usize = 200;
/// Rows of a window that asks for no size.
pub const DEFAULT_SIZE: usize = 50;
/// How far into a list a window may begin.
pub const MAX_OFFSET: usize = 1_000_000;

/// The part of a list that is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Window {
    /// Rows before it: at most 1,000,000.
    #[schema(maximum = 1_000_000)]
    pub offset: usize,
    /// Rows in it: 1 to 200; 50 when missing.
    #[schema(minimum = 1, maximum = 200)]
    pub size: usize,
}

impl Default for Window {
    fn default() -> Self {
        Self { offset: 0, size: DEFAULT_SIZE }
    }
}

impl Window {
    /// The window, if it is within its bounds.
    ///
    /// # Errors
    /// Names the bound that it breaks.
    pub fn checked(self) -> Result<Self, Problem> {
        if self.offset > MAX_OFFSET {
            return Err(Problem::field("window.offset", format!("must be 0 to {MAX_OFFSET}")));
        }
        if !(1..=MAX_SIZE).contains(&self.size) {
            return Err(Problem::field("window.size", format!("must be 1 to {MAX_SIZE}")));
        }
        Ok(self)
    }
}
