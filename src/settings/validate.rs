//! The rules of the settings, each naming the key that breaks it.

use std::{num::NonZeroU32, ops::RangeInclusive, path::Path, time::Duration};

use super::{
    Facades, Group, Groups, Limits, Log, Presence, Server, Settings, SettingsError, Sources, auth,
    bayeux, chat, cluster, cobrowse, events, topics, wire,
};
use crate::{
    auth::{ApiKeys, Mode, Origin, OriginList, Partner, Secret, VisitorSignatures},
    limits::{Proxies, Rate},
    model::ids::GroupId,
    store::saved::StorageUrl,
    telemetry, tls,
};

pub(super) const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
const HOUR_MS: u64 = 60 * 60 * 1_000;
pub(super) const MEBIBYTE: u64 = 1024 * 1024;

pub(super) type Checked<T> = Result<T, SettingsError>;

pub(super) fn settings(wire: wire::Wire, sources: &Sources, mode: Mode) -> Checked<Settings> {
    // In the order of the file, as is what gets reported first.
    let base = sources.base();
    let server = server(wire.server, base)?;
    let limits = limits(&wire.limits)?;
    let ids = wire.groups.iter().filter_map(|group| group.id.parse().ok()).collect();
    let auth = auth::auth(wire.auth, &auth::Surroundings { base, groups: ids })?;
    let groups = groups(wire.groups, wire.events.webhook_plain_http)?;
    Ok(Settings {
        sources: sources.clone(),
        mode,
        development: None,
        server,
        limits,
        auth,
        presence: presence(&wire.presence)?,
        events: events::events(&wire.events)?,
        cobrowse: cobrowse::cobrowse(&wire.cobrowse)?,
        chat: chat::chat(&wire.chat)?,
        topics: topics::topics(&wire.topics)?,
        facades: facades(wire.facades, &groups)?,
        bayeux: bayeux::bayeux(&wire.bayeux)?,
        groups,
        cluster: cluster::cluster(wire.cluster)?,
        storage: StorageUrl::parse(&wire.storage.url, base)
            .map_err(|error| SettingsError::key("storage.url", error))?,
        log: log(wire.log)?,
    })
}

fn server(wire: wire::Server, base: &Path) -> Checked<Server> {
    const BIND_RULE: &str = "must be an address and a port, as in 127.0.0.1:8080 or [::]:8080";
    let workers = match number("server.workers", wire.workers, 0..=1_024)? {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        workers => workers,
    };
    let server = Server {
        bind: wire.bind.parse().map_err(|_| SettingsError::key("server.bind", BIND_RULE))?,
        public_url: wire.public_url.as_deref().map(public_url).transpose()?,
        proxies: Proxies::new(&wire.trusted_proxies, wire.forwarded_header).map_err(
            |(place, error)| SettingsError::key(format!("server.trusted_proxies[{place}]"), error),
        )?,
        workers,
        keep_alive: milliseconds("server.keep_alive_ms", wire.keep_alive_ms)?,
        ping_min: milliseconds("server.ping_min_ms", wire.ping_min_ms)?,
        ping_max: milliseconds("server.ping_max_ms", wire.ping_max_ms)?,
        farewell: milliseconds("server.farewell_ms", wire.farewell_ms)?,
        tls: tls(wire.tls, base)?,
    };
    if server.ping_min > server.ping_max {
        return Err(SettingsError::key("server.ping_min_ms", "must not be above ping_max_ms"));
    }
    Ok(server)
}

fn limits(wire: &wire::Limits) -> Checked<Limits> {
    fn within<T: TryFrom<u64>>(key: &str, value: u64, range: RangeInclusive<u64>) -> Checked<T> {
        number(&format!("limits.{key}"), value, range)
    }
    let per_second = |key: &str, value| rate(&format!("limits.{key}"), value);
    let time = |key: &str, value| milliseconds(&format!("limits.{key}"), value);
    let paced = |(key, value), (burst_key, burst)| {
        let rate = Rate::per_second(per_second(key, value)?);
        Ok::<_, SettingsError>(rate.with_burst(per_second(burst_key, burst)?))
    };
    let limits = Limits {
        max_sockets: within("max_sockets", wire.max_sockets, 1..=100_000_000)?,
        handshakes_per_second: per_second("handshakes_per_second", wire.handshakes_per_second)?,
        handshakes_per_second_hard: per_second(
            "handshakes_per_second_hard",
            wire.handshakes_per_second_hard,
        )?,
        handshakes_per_second_total: per_second(
            "handshakes_per_second_total",
            wire.handshakes_per_second_total,
        )?,
        connects_per_second: per_second("connects_per_second", wire.connects_per_second)?,
        hello_timeout: time("hello_timeout_ms", wire.hello_timeout_ms)?,
        write_deadline: time("write_deadline_ms", wire.write_deadline_ms)?,
        frame_limit_bytes: within(
            "frame_limit_bytes",
            wire.frame_limit_bytes,
            1_024..=16 * MEBIBYTE,
        )?,
        outbox_limit_bytes: within(
            "outbox_limit_bytes",
            wire.outbox_limit_bytes,
            wire.frame_limit_bytes..=1_024 * MEBIBYTE,
        )?,
        body_limit_bytes: within("body_limit_bytes", wire.body_limit_bytes, 1_024..=64 * MEBIBYTE)?,
        sockets_per_address: within(
            "sockets_per_address",
            wire.sockets_per_address,
            1..=10_000_000,
        )?,
        identities_per_socket: within(
            "identities_per_socket",
            wire.identities_per_socket,
            1..=10_000,
        )?,
        max_records: within("max_records", wire.max_records, 1..=1_000_000_000)?,
        visitor_messages: paced(
            ("visitor_messages_per_second", wire.visitor_messages_per_second),
            ("visitor_messages_burst", wire.visitor_messages_burst),
        )?,
        agent_messages: paced(
            ("agent_messages_per_second", wire.agent_messages_per_second),
            ("agent_messages_burst", wire.agent_messages_burst),
        )?,
        watches_per_socket: within("watches_per_socket", wire.watches_per_socket, 1..=1_000_000)?,
        watchers_per_visitor: within(
            "watchers_per_visitor",
            wire.watchers_per_visitor,
            1..=1_000_000,
        )?,
        lists_per_socket: within("lists_per_socket", wire.lists_per_socket, 1..=100)?,
        lists_per_group: within("lists_per_group", wire.lists_per_group, 1..=100_000)?,
        list_pace_ms: within("list_pace_ms", wire.list_pace_ms, 20..=60_000)?,
        connections_per_address: within(
            "connections_per_address",
            wire.connections_per_address,
            1..=1_000_000,
        )?,
        head_timeout: time("head_timeout_ms", wire.head_timeout_ms)?,
        requests_per_second: per_second("requests_per_second", wire.requests_per_second)?,
        requests_per_second_per_subject: per_second(
            "requests_per_second_per_subject",
            wire.requests_per_second_per_subject,
        )?,
        guesses_per_minute: per_second("guesses_per_minute", wire.guesses_per_minute)?,
        guesses_per_minute_total: per_second(
            "guesses_per_minute_total",
            wire.guesses_per_minute_total,
        )?,
        remembered_keys: within("remembered_keys", wire.remembered_keys, 16..=100_000_000)?,
    };
    if limits.handshakes_per_second > limits.handshakes_per_second_hard {
        let rule = "must not be above handshakes_per_second_hard";
        return Err(SettingsError::key("limits.handshakes_per_second", rule));
    }
    Ok(limits)
}

/// The files themselves are read when the server starts, and by `vestibule check`.
fn tls(wire: wire::Tls, base: &Path) -> Checked<Option<tls::Options>> {
    let min_version = match wire.min_version.as_str() {
        "1.2" => tls::MinVersion::Tls12,
        "1.3" => tls::MinVersion::Tls13,
        _ => {
            return Err(SettingsError::key("server.tls.min_version", "must be \"1.2\" or \"1.3\""));
        }
    };
    let handshake_timeout =
        milliseconds("server.tls.handshake_timeout_ms", wire.handshake_timeout_ms)?;
    let max_handshakes = number("server.tls.max_handshakes", wire.max_handshakes, 1..=1_000_000)?;
    let missing = |key| SettingsError::key(key, "is missing: TLS needs a certificate and its key");
    match (wire.certificate, wire.key) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(missing("server.tls.certificate")),
        (Some(_), None) => Err(missing("server.tls.key")),
        (Some(certificate), Some(key)) => Ok(Some(tls::Options {
            certificate: base.join(certificate),
            key: base.join(key),
            min_version,
            handshake_timeout,
            max_handshakes,
        })),
    }
}

fn public_url(text: &str) -> Checked<String> {
    let url = text.trim_end_matches('/');
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let host = rest.split('/').next().unwrap_or_default();
    let origin = format!("{scheme}://{host}").parse::<Origin>();
    if !matches!(scheme, "http" | "https") || origin.is_err() || url.contains(['?', '#']) {
        let rule = "must be an http or https address without query, as in https://example.com";
        return Err(SettingsError::key("server.public_url", rule));
    }
    Ok(url.to_owned())
}

fn groups(wire: Vec<wire::Group>, plain_http: bool) -> Checked<Groups> {
    let mut groups = Groups::default();
    for (index, group) in wire.into_iter().enumerate() {
        let at = format!("groups[{index}]");
        if !groups.insert(self::group(&at, group, plain_http)?) {
            return Err(SettingsError::key(format!("{at}.id"), "another group has this id"));
        }
    }
    Ok(groups)
}

fn group(at: &str, wire: wire::Group, plain_http: bool) -> Checked<Group> {
    let id: GroupId =
        wire.id.parse().map_err(|error| SettingsError::key(format!("{at}.id"), error))?;
    for (index, key) in wire.api_keys.iter().enumerate() {
        long_enough(&format!("{at}.api_keys[{index}]"), key, 16)?;
    }
    for (index, key) in wire.visitor_keys.iter().enumerate() {
        long_enough(&format!("{at}.visitor_keys[{index}]"), key, 32)?;
    }
    if wire.require_signed_visitors && wire.visitor_keys.is_empty() {
        let rule = "must have a key where require_signed_visitors is set";
        return Err(SettingsError::key(format!("{at}.visitor_keys"), rule));
    }
    let partner = match (wire.partner_id, wire.partner_key) {
        (partner_id, Some(key)) => {
            long_enough(&format!("{at}.partner_key"), &key, 16)?;
            Some(Partner { id: partner_id.unwrap_or_else(|| id.to_string()), key })
        }
        (Some(_), None) => {
            return Err(SettingsError::key(format!("{at}.partner_key"), "is missing"));
        }
        (None, None) => None,
    };
    let visitor_origins = origins(&format!("{at}.visitor_origins"), &wire.visitor_origins)?;
    Ok(Group {
        name: wire.name,
        cobrowse: cobrowse::of_group(at, &id, &visitor_origins, wire.cobrowse)?,
        buttons: chat::of_group(at, &wire.chat)?,
        topics: topics::of_group(at, &wire.topics)?,
        visitor_origins,
        agent_origins: origins(&format!("{at}.agent_origins"), &wire.agent_origins)?,
        api_keys: ApiKeys::new(&wire.api_keys),
        partner,
        visitor_signatures: VisitorSignatures::new(wire.visitor_keys, wire.require_signed_visitors),
        native_visitors: wire.native_visitors,
        strip_query: wire.strip_query,
        addresses: wire.addresses,
        events: wire.events,
        bayeux: wire.facades.genesys,
        bayeux_pages_only: wire.facades.genesys_origins,
        bayeux_frames: origins(
            &format!("{at}.facades.genesys_frames"),
            &wire.facades.genesys_frames,
        )?,
        webhooks: events::webhooks(at, wire.events, &wire.webhooks, plain_http)?,
        id,
    })
}

fn origins(key: &str, texts: &[String]) -> Checked<OriginList> {
    texts
        .iter()
        .enumerate()
        .map(|(index, text)| {
            text.parse::<Origin>()
                .map_err(|error| SettingsError::key(format!("{key}[{index}]"), error))
        })
        .collect()
}

fn presence(wire: &wire::Presence) -> Checked<Presence> {
    let within = |key: &str, value, range| number::<u64>(&format!("presence.{key}"), value, range);
    Ok(Presence {
        grace_ms: within("grace_ms", wire.grace_ms, 0..=HOUR_MS)?,
        signal_window_ms: within("signal_window_ms", wire.signal_window_ms, 0..=HOUR_MS)?,
        ack_ms: within("ack_ms", wire.ack_ms, 100..=HOUR_MS)?,
        unique_id_seconds: within("unique_id_seconds", wire.unique_id_seconds, 1..=86_400)?,
        unique_id_digits: number("presence.unique_id_digits", wire.unique_id_digits, 4..=12)?,
        help_ms: within("help_seconds", wire.help_seconds, 1..=86_400)? * 1_000,
        help_requests: number("presence.help_requests", wire.help_requests, 0..=1_000_000)?,
        timeline_entries: number(
            "presence.timeline_entries",
            wire.timeline_entries,
            0..=10_000_000,
        )?,
    })
}

fn facades(wire: wire::Facades, groups: &Groups) -> Checked<Facades> {
    let default_group = match &wire.default_group {
        Some(text) => {
            let named = text.parse().ok().and_then(|id| groups.get(&id));
            let group = named.ok_or_else(|| {
                SettingsError::key("facades.default_group", "there is no group with this id")
            })?;
            Some(group.id.clone())
        }
        None if groups.len() == 1 => groups.iter().next().map(|group| group.id.clone()),
        None => None,
    };
    let wire::Facades { glance, oracle, upscope, genesys, channelme, .. } = wire;
    Ok(Facades { default_group, glance, oracle, upscope, genesys, channelme })
}

fn log(wire: wire::Log) -> Checked<Log> {
    telemetry::check_filter(&wire.filter)
        .map_err(|error| SettingsError::key("log.filter", error))?;
    Ok(Log { format: wire.format, filter: wire.filter })
}

pub(super) fn number<T: TryFrom<u64>>(
    key: &str,
    value: u64,
    range: RangeInclusive<u64>,
) -> Checked<T> {
    if range.contains(&value)
        && let Ok(number) = T::try_from(value)
    {
        return Ok(number);
    }
    Err(SettingsError::key(key, format!("must be {} to {}", range.start(), range.end())))
}

pub(super) fn milliseconds(key: &str, value: u64) -> Checked<Duration> {
    number(key, value, 100..=DAY_MS).map(Duration::from_millis)
}

pub(super) fn rate(key: &str, value: u64) -> Checked<NonZeroU32> {
    let rate: u32 = number(key, value, 1..=1_000_000)?;
    Ok(NonZeroU32::new(rate).unwrap_or(NonZeroU32::MIN))
}

pub(super) fn long_enough(key: &str, secret: &Secret, least: usize) -> Checked<()> {
    if secret.expose().chars().count() < least {
        return Err(SettingsError::key(key, format!("must have {least} characters or more")));
    }
    Ok(())
}
