//! `[cobrowse]` and `[groups.cobrowse]`.

use std::collections::BTreeMap;

sections! {
    /// `[cobrowse]`
    Cobrowse {
        /// Sessions at a time. Default 10000.
        max_sessions: u64 = 10_000,
        /// Agents at a time in one session. Default 8.
        agents: u64 = 8,
        /// How long an agent whose connection is lost is waited for, milliseconds. Default 30000.
        agent_grace_ms: u64 = 30_000,
        /// How long a visitor whose last page is lost is waited for, milliseconds. Default 60000.
        visitor_grace_ms: u64 = 60_000,
        /// How long a session waits for visitor and agent, seconds. Default 600.
        join_seconds: u64 = 600,
        /// How long the visitor may do nothing, seconds. Default 600.
        idle_seconds: u64 = 600,
        /// How long a session may last, seconds. Default 28800.
        longest_seconds: u64 = 28_800,
        /// Sessions that one visitor may start, per minute. Default 10.
        sessions_per_minute: u64 = 10,
        /// Length of a code that leads to a session, digits, 4 to 12. Default 6.
        code_digits: u64 = 6,
        /// Longest message of a page's stream, before it was deflated, bytes. Default 4194304.
        part_bytes: u64 = 4_194_304,
        /// What is kept of one page's stream for agents who come late, bytes. Default 8388608.
        page_bytes: u64 = 8_388_608,
        /// What may wait for a slow viewer, bytes. Default 16777216.
        outbox_bytes: u64 = 16_777_216,
        /// Longest picture, font or style sheet, bytes. Default 2097152.
        asset_bytes: u64 = 2_097_152,
        /// What they may take in one session, bytes. Default 33554432.
        assets_bytes: u64 = 33_554_432,
        /// How many there may be in one session. Default 5000.
        assets: u64 = 5_000,
        /// Messages per second on a page's stream. Default 200.
        stream_messages_per_second: u64 = 200,
        /// How many of them at once. Default 4000.
        stream_messages_burst: u64 = 4_000,
        /// How long past sessions are kept, days. Default 90.
        history_days: u64 = 90,
        /// How long consents are kept, days. Default 730.
        consent_days: u64 = 730,
    }

    /// `[groups.cobrowse]`
    GroupCobrowse {
        /// CSS selectors of what agents never see. Default none.
        mask: Vec<String> = Vec::new(),
        /// Whether agents see nothing but what `allow` selects. Default false.
        private: bool = false,
        /// CSS selectors of what agents see although `private` is set. Default none.
        allow: Vec<String> = Vec::new(),
        /// Regular expressions of what agents never see. Default none.
        patterns: Vec<String> = Vec::new(),
        /// The language of what the visitor is asked. Default: the page's.
        language: Option<String> = None,
        /// Texts in place of the built-in ones. Default none.
        texts: BTreeMap<String, String> = BTreeMap::new(),
        /// What pages are told that the site is called. Default: the group's id.
        site_code: Option<String> = None,
        /// What begins a session on pages of an interface that has a button for that: `button`, `none`, or `#` and the id
        /// of the page's own element. Default button.
        launch: String = "button".into(),
        /// What a visitor must accept before such a session begins. Default none.
        terms: Option<String> = None,
    }
}
