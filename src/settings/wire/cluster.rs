//! `[cluster]`.

sections! {
    /// `[cluster]`
    Cluster {
        /// Where records are kept: `memory` of this process, or `redis`, which several nodes share.
        engine: String = "memory".into(),
        /// The server that they share. Required with `redis`.
        url: Option<String> = None,
        /// What tells this node from others; default: the machine's name and the port.
        node_name: Option<String> = None,
    }
}
