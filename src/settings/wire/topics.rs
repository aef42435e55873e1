//! `[topics]` and `[groups.topics]`.

sections! {
    /// `[topics]`
    Topics {
        /// Subscriptions of one socket. Default 100.
        subscriptions_per_socket: u64 = 100,
        /// Subscriptions of all sockets of one group. Default 100000.
        subscriptions_per_group: u64 = 100_000,
        /// Messages that all of a group publish, per second. Default 1000.
        publishes_per_second: u64 = 1_000,
        /// How many of them at once. Default 2000.
        publishes_burst: u64 = 2_000,
        /// What all visitors of a group together may have of the group's publishing and of what is kept of its messages,
        /// percent. Default 50.
        visitor_percent: u64 = 50,
        /// Longest data of one message, bytes; never more than a quarter of `limits.outbox_limit_bytes`. Default 32768.
        payload_bytes: u64 = 32_768,
        /// Topics of one group that have a retained value. Default 10000.
        retained: u64 = 10_000,
        /// What the retained values of a group may take, bytes. Default 4194304.
        retained_bytes: u64 = 4_194_304,
        /// Longest life of a retained value, and its life where the publisher says nothing, seconds. Default 86400.
        retained_seconds: u64 = 86_400,
        /// What the messages that are kept for who comes back may take, bytes a group. Default 4194304.
        history_bytes: u64 = 4_194_304,
    }

    /// `[groups.topics]`
    GroupTopics {
        /// Filters of the topics that visitors may publish to. Default none.
        visitor_publish: Vec<String> = Vec::new(),
        /// Filters that visitors may subscribe to, with all that they cover. Default none.
        visitor_subscribe: Vec<String> = Vec::new(),
        /// Whether visitors may leave retained values there, and take them away. Default false.
        visitor_retain: bool = false,
        /// Messages of each topic that are kept for who comes back; 0 for none. Default 100.
        history: u64 = 100,
        /// How long, seconds. Default 300.
        history_seconds: u64 = 300,
        /// Filters of topics whose messages are states: only the newest of each counts. Default none.
        latest: Vec<String> = Vec::new(),
    }
}
