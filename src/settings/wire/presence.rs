//! `[presence]`.

sections! {
    /// `[presence]`
    Presence {
        /// How long a visitor without a socket counts as connected, milliseconds. Default 5000.
        grace_ms: u64 = 5_000,
        /// How long signals for him are held, milliseconds. Default 5000.
        signal_window_ms: u64 = 5_000,
        /// Time for a page to acknowledge a signal, milliseconds. Default 5000.
        ack_ms: u64 = 5_000,
        /// Life of a unique id, seconds. Default 300.
        unique_id_seconds: u64 = 300,
        /// Length of a unique id, digits, 4 to 12. Default 6.
        unique_id_digits: u64 = 6,
        /// How long a visitor who asks for help waits before he is told that nobody comes, seconds. Default 300.
        help_seconds: u64 = 300,
        /// Visitors of one group who may wait for help at a time. Default 1000.
        help_requests: u64 = 1_000,
        /// Things that happened to visitors that are remembered for `explain`, in all. Default 65536.
        timeline_entries: u64 = 65_536,
    }
}
