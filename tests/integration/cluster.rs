//! Several nodes that share their records (design section 5), as their clients meet them: any node answers for any visitor.

mod addresses;
mod bayeux;
mod cobrowse;
mod cut_off;
mod cuts;
mod events;
mod failures;
mod latency;
mod loss;
mod masters;
mod names;
mod page_changes;
mod presence;
mod revocations;
mod scene;
mod sentinel;
mod starts;
mod webhooks;
