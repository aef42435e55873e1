//! `[limits]`.

sections! {
    /// `[limits]`
    Limits {
        /// Sockets in all. Default 100000.
        max_sockets: u64 = 100_000,
        /// Sockets at a time from one address. Default 1000.
        sockets_per_address: u64 = 1_000,
        /// Handshakes per second and address; more are closed with `ratelimited`. Default 50.
        handshakes_per_second: u64 = 50,
        /// Handshakes per second and address; more get a plain HTTP refusal. Default 200.
        handshakes_per_second_hard: u64 = 200,
        /// Handshakes per second in all. Default 5000.
        handshakes_per_second_total: u64 = 5_000,
        /// Connects per second and visitor id. Default 10.
        connects_per_second: u64 = 10,
        /// Visitor ids that one socket may go by, one after another. Default 32.
        identities_per_socket: u64 = 32,
        /// Visitors that are remembered at a time. Default 1000000.
        max_records: u64 = 1_000_000,
        /// Time for a socket's first frame, milliseconds. Default 10000.
        hello_timeout_ms: u64 = 10_000,
        /// Time for a socket to take what was written, milliseconds. Default 10000.
        write_deadline_ms: u64 = 10_000,
        /// Messages per second on a visitor's socket. Default 20.
        visitor_messages_per_second: u64 = 20,
        /// How many of them at once. Default 100.
        visitor_messages_burst: u64 = 100,
        /// Messages per second on an agent's socket. Default 100.
        agent_messages_per_second: u64 = 100,
        /// How many of them at once. Default 2000.
        agent_messages_burst: u64 = 2_000,
        /// Visitors that one agent's socket watches. Default 1000.
        watches_per_socket: u64 = 1_000,
        /// Watchers of one visitor. Default 10000.
        watchers_per_visitor: u64 = 10_000,
        /// Live lists of one agent's socket. Default 8.
        lists_per_socket: u64 = 8,
        /// Live lists of all agents of one group. Default 500.
        lists_per_group: u64 = 500,
        /// How long the changes of a group's live lists are gathered, milliseconds. Default 200.
        list_pace_ms: u64 = 200,
        /// Longest frame or message on a socket, bytes. Default 65536.
        frame_limit_bytes: u64 = 65_536,
        /// What may wait for a slow socket, bytes. Default 262144.
        outbox_limit_bytes: u64 = 262_144,
        /// Longest request body, bytes. Default 131072.
        body_limit_bytes: u64 = 131_072,
        /// HTTP connections at a time from one address. Default 256.
        connections_per_address: u64 = 256,
        /// Time for the head of a request, milliseconds. Default 10000.
        head_timeout_ms: u64 = 10_000,
        /// HTTP requests per second from one address. Default 100.
        requests_per_second: u64 = 100,
        /// HTTP requests per second with tokens of one subject. Default 100.
        requests_per_second_per_subject: u64 = 100,
        /// Wrong guesses per minute from one address: codes that lead nowhere, keys and credentials. Default 20.
        guesses_per_minute: u64 = 20,
        /// Codes that lead nowhere and that all agents of a group ask for, per minute. Default 600.
        guesses_per_minute_total: u64 = 600,
        /// Addresses, visitors and subjects that each of the limits above remembers. Default 100000.
        remembered_keys: u64 = 100_000,
    }
}
