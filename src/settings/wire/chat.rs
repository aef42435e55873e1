//! `[chat]` and `[groups.chat]`.

sections! {
    /// `[chat]`
    Chat {
        /// Chats at a time. Default 10000.
        max_chats: u64 = 10_000,
        /// Visitors of one group who may wait for an agent at a time. Default 200.
        waiting: u64 = 200,
        /// Of those, visitors of one address. Default 20.
        waiting_per_address: u64 = 20,
        /// Agents of one group who chat. Default 500.
        agents: u64 = 500,
        /// Chats that one agent may have at a time. Default 20.
        chats_per_agent: u64 = 20,
        /// How long an agent whose last connection is lost is waited for, milliseconds. Default 15000.
        agent_grace_ms: u64 = 15_000,
        /// How long a visitor who left the site is waited for, milliseconds. Default 60000.
        visitor_grace_ms: u64 = 60_000,
        /// How long an invitation waits for its answer, seconds. Default 120.
        invited_seconds: u64 = 120,
        /// How long a visitor waits for an agent, seconds. Default 900.
        waiting_seconds: u64 = 900,
        /// How long a chat goes on in which nobody says anything, seconds. Default 1800.
        idle_seconds: u64 = 1_800,
        /// Messages of one chat. Default 2000.
        messages: u64 = 2_000,
        /// Messages of one visitor, per minute. Default 60.
        messages_per_minute: u64 = 60,
        /// Chats that one visitor may begin, per minute. Default 10.
        chats_per_minute: u64 = 10,
        /// How long past chats are kept, days. Default 90.
        history_days: u64 = 90,
    }

    /// `[groups.chat]`
    GroupChat {
        /// The ids of the group's chat buttons. Default none: agents may be available for any.
        buttons: Vec<String> = Vec::new(),
    }
}
