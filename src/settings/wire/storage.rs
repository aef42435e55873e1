//! `[storage]`.

sections! {
    /// `[storage]`
    Storage {
        /// Where state is kept; a relative path starts at the settings file. Default sqlite:vestibule.db.
        url: String = "sqlite:vestibule.db".into(),
    }
}
