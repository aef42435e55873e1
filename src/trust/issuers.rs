//! Asks outside issuers for their keys: at the start, in turn, and when a token names a key that is not known.

use std::{sync::Arc, time::Duration};

use crate::{
    auth::{KeySet, MAX_JWKS_BYTES, Question, TokenService},
    clock::Clock,
    outbound::Outbound,
    telemetry::{Metrics, labels::FetchResult},
};

/// How often issuers are looked at; whether one is asked then, his schedule says.
const LOOK: Duration = Duration::from_millis(250);
/// How long an issuer may take to answer.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// Keeps the issuers' keys fresh. Never ends.
pub async fn keep_asking(tokens: Arc<TokenService>, clock: Clock, metrics: Metrics) {
    let outbound = Outbound::new(TIME_LIMIT);
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        for issuer in &tokens.believed().issuers {
            let Some(question) = issuer.ask(clock.wall()) else { continue };
            let (outbound, tokens) = (outbound.clone(), Arc::clone(&tokens));
            let (clock, metrics) = (clock.clone(), metrics.clone());
            actix_rt::spawn(async move {
                let keys = ask(&question, &outbound).await;
                let result = if keys.is_some() { FetchResult::Done } else { FetchResult::Failed };
                metrics.issuer_fetches.of(result).inc();
                tokens.learn(question, keys, clock.wall());
            });
        }
    }
}

async fn ask(question: &Question, outbound: &Outbound) -> Option<KeySet> {
    let Question { issuer, address, .. } = question;
    let name = &*issuer.rules.name;
    let failed = |error: &dyn std::fmt::Display| {
        let known = issuer.known_keys();
        tracing::warn!(issuer = name, %address, %error, known, "no keys from the issuer, the last good ones stay");
    };
    let document = match outbound.get(address, MAX_JWKS_BYTES).await {
        Ok(document) => document,
        Err(error) => {
            failed(&error);
            return None;
        }
    };
    match KeySet::parse(&document) {
        Ok((keys, left_out)) => {
            for (id, error) in left_out {
                tracing::warn!(issuer = name, kid = %id.escape_debug(), %error, "a key of the issuer is left out");
            }
            tracing::debug!(issuer = name, ?keys, "keys of the issuer");
            Some(keys)
        }
        Err(error) => {
            failed(&error);
            None
        }
    }
}
