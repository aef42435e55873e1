mod keys;

use std::{fs, path::PathBuf};

use tempfile::TempDir;

use super::*;
use crate::auth::Key;

const KEY: &str = "planted-signing-key-0123456789abcdef";
const MINIMAL: &str = r#"
    [auth]
    signing_key = "planted-signing-key-0123456789abcdef"
    [[groups]]
    id = 1
    api_keys = ["planted-api-key-0123"]
    partner_key = "planted-partner-key"
    visitor_origins = ["https://Shop.example.com:443"]
    [[groups]]
    id = "2"
"#;

/// What settings may name; they lie beside the file.
const KEY_FILES: [(&str, &str); 4] = [
    ("eddsa.pem", include_str!("../../tests/fixtures/keys/eddsa.pem")),
    ("es256-public.pem", include_str!("../../tests/fixtures/keys/es256-public.pem")),
    ("es256.pem", include_str!("../../tests/fixtures/keys/es256.pem")),
    ("weak-rsa.pem", include_str!("../../tests/fixtures/keys/weak-rsa.pem")),
];

fn load_text(text: &str, environment: &[(&str, &str)]) -> Result<(Settings, TempDir), String> {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("vestibule.toml");
    fs::write(&file, text).unwrap();
    for (name, key) in KEY_FILES {
        fs::write(folder.path().join(name), key).unwrap();
    }
    let sources = Sources { file: Some(file), environment: owned(environment), bind: None };
    load(&sources).map(|settings| (settings, folder)).map_err(|error| error.to_string())
}

fn owned(environment: &[(&str, &str)]) -> Vec<(String, String)> {
    environment.iter().map(|(name, text)| ((*name).into(), (*text).into())).collect()
}

fn error_of(text: &str, environment: &[(&str, &str)]) -> String {
    load_text(text, environment).map(|_| ()).unwrap_err()
}

#[test]
fn a_short_file_is_enough() {
    let (settings, folder) = load_text(MINIMAL, &[]).unwrap();
    assert_eq!(settings.mode, Mode::Production);
    assert_eq!(settings.server.bind.to_string(), "127.0.0.1:8080");
    assert!(settings.server.workers >= 1);
    assert_eq!(settings.presence.grace_ms, 5_000);
    let group = settings.groups.get(&"1".parse().unwrap()).unwrap();
    assert!(group.api_keys.accept("planted-api-key-0123"));
    assert_eq!(group.partner.as_ref().unwrap().id, "1");
    assert!(group.visitor_origins.allows(Some("https://shop.example.com"), settings.mode));
    assert!(!group.visitor_origins.allows(Some("http://localhost"), settings.mode));
    assert_eq!(settings.facades.default_group, None);
    assert_eq!(*settings.storage.place(), *folder.path().join("vestibule.db").to_str().unwrap());
}

#[test]
fn the_environment_overrides_the_file_and_flags_override_both() {
    let environment = [
        ("VESTIBULE_SERVER__BIND", "127.0.0.1:1"),
        ("VESTIBULE_SERVER__WORKERS", "3"),
        ("VESTIBULE_SERVER__PUBLIC_URL", "https://a.example/v/"),
        ("VESTIBULE_AUTH__SIGNING_KEY", "00000000000000000000000000000000"),
        ("VESTIBULE_GROUPS__0__STRIP_QUERY", "true"),
        ("VESTIBULE_GROUPS__0__AGENT_ORIGINS", "https://a.example, https://b.example"),
        ("VESTIBULE_GROUPS__2__ID", "3"),
        ("VESTIBULE_GROUPS__2__API_KEYS", "0123456789012345,abcdefghijklmnop"),
        ("VESTIBULE_FACADES__DEFAULT_GROUP", "3"),
        ("VESTIBULE_LOG__FORMAT", "json"),
        ("VESTIBULE_LOG__FILTER", ""),
        ("VESTIBULE_PORT", "tcp://10.0.0.1:80"),
    ];
    let (settings, folder) = load_text(MINIMAL, &environment).unwrap();
    assert_eq!(settings.server.bind.port(), 1);
    assert_eq!(settings.server.workers, 3);
    assert_eq!(settings.server.public_url.as_deref(), Some("https://a.example/v"));
    let zeros = Key::unnamed_secret(&"0".repeat(32).as_str().into()).unwrap();
    let keys: Vec<_> = settings.auth.keys.iter().map(Key::id).collect();
    assert_eq!(keys, [zeros.id()]);
    let groups: Vec<_> = settings.groups.iter().collect();
    assert!(groups[0].strip_query && groups[0].agent_origins.len() == 2);
    assert_eq!((groups.len(), groups[2].api_keys.len()), (3, 2));
    assert_eq!(settings.facades.default_group, Some("3".parse().unwrap()));
    assert_eq!((settings.log.format, settings.log.filter.as_str()), (LogFormat::Json, "info"));

    let file = Some(folder.path().join("vestibule.toml"));
    let bind = Some("127.0.0.1:2".into());
    let settings = load(&Sources { file, environment: owned(&environment), bind }).unwrap();
    assert_eq!(settings.server.bind.port(), 2);
}

#[test]
fn what_is_wrong_is_named() {
    for (text, start) in [
        ("[server]\nbnd = 1", "server.bnd: unknown field `bnd`, expected one of `bind`"),
        ("[sever]\nbind = 1", "sever: unknown field"),
        ("[server]\nbind = 8080", "server.bind: must be a string"),
        ("[server]\nbind = \"localhost\"", "server.bind: must be an address and a port"),
        ("[server]\nworkers = \"4\"", "server.workers: must be a whole number"),
        ("[server]\nworkers = 2.5", "server.workers: must be a whole number"),
        ("[server]\nworkers = -1", "server.workers: must be a whole number"),
        ("[limits]\nframe_limit_bytes = 1", "limits.frame_limit_bytes: must be 1024 to"),
        ("[limits]\noutbox_limit_bytes = 9", "limits.outbox_limit_bytes: must be 65536 to"),
        ("[server]\nping_min_ms = 30000", "server.ping_min_ms: must not be above ping_max_ms"),
        ("[limits]\nhandshakes_per_second = 0", "limits.handshakes_per_second: must be 1 to"),
        ("[limits]\nhandshakes_per_second = 201", "limits.handshakes_per_second: must not be"),
        ("[server]\npublic_url = \"ftp://a\"", "server.public_url: must be an http or https"),
        (
            "[server]\ntrusted_proxies = [\"::1\", \"x\"]",
            "server.trusted_proxies[1]: must be an address",
        ),
        (
            "[server]\nforwarded_header = \"via\"",
            "server.forwarded_header: must be `x-forwarded-for`",
        ),
        ("[limits]\nremembered_keys = 0", "limits.remembered_keys: must be 16 to"),
        ("server = 3", "server: must be a section"),
        ("[auth]\nsigning_key = \"short\"", "auth.signing_key: must have 32"),
        ("[auth]\ntoken_minutes = 5", "auth.signing_key: is missing"),
        ("[[groups]]\nname = \"x\"", "groups[0].id: group must be 1 to 20 digits"),
        ("[[groups]]\nid = true", "groups[0].id: must be a string or a whole number"),
        ("[[groups]]\nid = 1\n[[groups]]\nid = \"1\"", "groups[1].id: another group has this id"),
        ("[[groups]]\nid = 1\napi_keys = [\"x\"]", "groups[0].api_keys[0]: must have 16"),
        ("[[groups]]\nid = 1\npartner_id = 1", "groups[0].partner_key: is missing"),
        ("[[groups]]\nid = 1\nvisitor_keys = [\"x\"]", "groups[0].visitor_keys[0]: must have 32"),
        (
            "[[groups]]\nid = 1\nrequire_signed_visitors = true",
            "groups[0].visitor_keys: must have a key where",
        ),
        (
            "[[groups]]\nid = 1\nvisitor_origins = [\"https://a.b\", \"*\"]",
            "groups[0].visitor_origins[1]: \"*\" is not an exact origin: `*` is not accepted",
        ),
        ("[presence]\nunique_id_seconds = 0", "presence.unique_id_seconds: must be 1 to 86400"),
        (
            "[[groups]]\nid = 1\nevents = false\n[[groups.webhooks]]",
            "groups[0].events: must be true",
        ),
        (
            "[[groups]]\nid = 1\n[[groups.webhooks]]\nurl = \"x\"",
            "groups[0].webhooks[0].url: must be an https",
        ),
        ("[events]\nhistory = 99", "events.history: must be 100 to 1000000"),
        (
            "[events]\nwebhook_retry_first_ms = 300001",
            "events.webhook_retry_first_ms: must not be above webhook_retry_most_ms",
        ),
        ("[server.tls]\nkey = \"key.pem\"", "server.tls.certificate: is missing"),
        ("[server.tls]\ncertificate = \"a.pem\"", "server.tls.key: is missing"),
        ("[server.tls]\nmin_version = \"1.1\"", "server.tls.min_version: must be \"1.2\" or"),
        ("[server.tls]\nmax_handshakes = 0", "server.tls.max_handshakes: must be 1 to"),
        ("[presence]\nunique_id_digits = 3", "presence.unique_id_digits: must be 4 to 12"),
        ("[storage]\nurl = \"mysql://db\"", "storage.url: write sqlite:"),
        ("[storage]\nurl = \"postgres://db\"", "storage.url: name a server and a database"),
        ("[storage]\nurl = \"sqlite::memory:\"", "storage.url: name a file"),
        ("[cluster]\nengine = \"etcd\"", "cluster.engine: must be \"memory\" or \"redis\""),
        ("[cluster]\nengine = \"redis\"", "cluster.url: must name the server"),
        ("[cluster]\nurl = \"redis://db\"", "cluster.engine: must be \"redis\" where cluster.url"),
        ("[cluster]\nengine = \"redis\"\nurl = \"http://db\"", "cluster.url: write redis://"),
        (
            "[cluster]\nengine = \"redis\"\nurl = \"redis://db?prefix=a%20b\"",
            "cluster.url: write redis://",
        ),
        ("[cluster]\nnode_name = \"a b\"", "cluster.node_name: must have 1 to 64"),
        ("[log]\nformat = \"xml\"", "log.format: must be `text` or `json`"),
        ("[log]\nfilter = \"a=loud\"", "log.filter: not a log filter"),
    ] {
        let auth = format!("{text}\n[auth]\nsigning_key = \"{KEY}\"");
        let text = if text.contains("[auth]") { text } else { auth.as_str() };
        let error = error_of(text, &[]);
        assert!(error.starts_with(start), "{text}\n{error}");
    }
    let group = format!("{MINIMAL}\n[facades]\ndefault_group = 9");
    assert!(error_of(&group, &[]).starts_with("facades.default_group: there is no group"));
}

#[test]
fn what_is_wrong_in_the_environment_is_named() {
    for (name, text, start) in [
        ("VESTIBULE_SERVER__WORKERS", "four", "VESTIBULE_SERVER__WORKERS: must be a whole number"),
        ("VESTIBULE_FACADES__GLANCE", "1", "VESTIBULE_FACADES__GLANCE: must be true or false"),
        ("VESTIBULE_SERVER__BND", "1", "server.bnd: unknown field"),
        ("VESTIBULE_SEVER__BIND", "1", "VESTIBULE_SEVER__BIND: there is no such setting"),
        ("VESTIBULE_SERVER__BIND__X", "1", "VESTIBULE_SERVER__BIND__X: there is no such setting"),
        ("VESTIBULE_GROUPS__3__ID", "1", "VESTIBULE_GROUPS__3__ID: indexes start at 0"),
        ("VESTIBULE_GROUPS__A__ID", "1", "VESTIBULE_GROUPS__A__ID: a is not an index"),
        ("VESTIBULE_GROUPS__0", "1", "VESTIBULE_GROUPS__0: this names a section"),
        ("VESTIBULE_GROUPS__0__API_KEYS__0", "1", "VESTIBULE_GROUPS__0__API_KEYS__0: give the"),
    ] {
        let error = error_of(MINIMAL, &[(name, text)]);
        assert!(error.starts_with(start), "{name}\n{error}");
    }
}

#[test]
fn a_webhook_is_checked_and_its_address_gives_it_a_name() {
    let secret = format!("whsec_{}", "A".repeat(32));
    let load = |url: &str, secrets: &str, more: &str| {
        let webhook =
            format!("[[groups.webhooks]]\nurl = \"{url}\"\nsecrets = [{secrets}]\n{more}");
        load_text(&format!("{MINIMAL}{webhook}"), &[])
    };
    let good = format!("\"{secret}\"");
    let name = |url: &str| {
        let (settings, _folder) = load(url, &good, "").unwrap();
        let group = settings.groups.iter().last().unwrap();
        assert!(!format!("{group:?}").contains(&secret[6..]));
        group.webhooks[0].id.to_string()
    };
    assert_eq!(name("https://a.example/x"), name("https://a.example/x"));
    assert_ne!(name("https://a.example/x"), name("http://127.0.0.1:8080/x?y=1"));
    let both = format!("{good}, {good}");
    for (url, secrets, more, start) in [
        ("http://a.example/x", good.as_str(), "", "webhooks[0].url: must be https, unless"),
        ("http://127.0.0.1.a.example/x", &good, "", "webhooks[0].url: must be https, unless"),
        ("ftp://a.example", &good, "", "webhooks[0].url: must be an https address"),
        ("/x", &good, "", "webhooks[0].url: must be an https address"),
        ("https://planted@a.example/x", &good, "", "webhooks[0].url: must hold no user"),
        ("https://a.example/x", "", "", "webhooks[0].secrets: must be 1 to 2"),
        (
            "https://a.example/x",
            &format!("{both}, {good}"),
            "",
            "webhooks[0].secrets: must be 1 to 2",
        ),
        ("https://a.example/x", "\"planted\"", "", "webhooks[0].secrets: must each be whsec_"),
        ("https://a.example/x", &good, "types = [\"x\"]", "webhooks[0].types: must be some of"),
    ] {
        let error = load(url, secrets, more).map(|_| ()).unwrap_err();
        assert!(error.starts_with(&format!("groups[1].{start}")), "{url}\n{error}");
        assert!(!error.contains("planted"), "{error}");
    }
    assert!(load("http://a.example/x", &both, "[events]\nwebhook_plain_http = true").is_ok());
    let twice = format!("[[groups.webhooks]]\nurl = \"https://a.example\"\nsecrets = [{good}]");
    let error = load("https://a.example", &good, &twice).map(|_| ()).unwrap_err();
    assert!(error.starts_with("groups[1].webhooks[1].url: another webhook"), "{error}");
    let environment = [
        ("VESTIBULE_GROUPS__1__WEBHOOKS__0__URL", "https://b.example"),
        ("VESTIBULE_GROUPS__1__WEBHOOKS__0__SECRETS", secret.as_str()),
    ];
    let (settings, _folder) = load_text(MINIMAL, &environment).unwrap();
    assert_eq!(
        settings.groups.iter().last().unwrap().webhooks[0].address.to_string(),
        "https://b.example/"
    );
}

#[test]
fn neither_debug_nor_errors_show_a_secret() {
    let (settings, _folder) = load_text(MINIMAL, &[]).unwrap();
    assert!(!format!("{settings:#?}").contains("planted"));
    let development = load(&Sources::default()).unwrap();
    let made_up = development.development.as_ref().unwrap();
    let shown = format!("{development:#?}");
    for secret in [&made_up.api_key, &made_up.partner_key] {
        assert!(!shown.contains(secret.expose()));
    }
    for text in [
        "[auth]\nsigning_key = planted-secret",
        "[auth]\nsigning_key = \"planted",
        "[auth]\nsigning_key = \"planted\\q\"",
        "[auth]\nsigning_key = [\"planted\"]",
        "auth = \"planted\"",
        "[[groups]]\nid = 1\napi_keys = \"planted-api-key-0123\"",
        "[[groups]]\nid = 1\napi_keys = [[\"planted-api-key-0123\"]]",
        "[[groups]]\nid = 1\npartner_key = \"planted\"",
        "groups = \"planted\"",
    ] {
        let error = error_of(text, &[]);
        assert!(!error.contains("planted"), "{error}");
    }
}

#[test]
fn a_missing_or_broken_file_is_named() {
    let file = Some(PathBuf::from("/nowhere/vestibule.toml"));
    let error = load(&Sources { file, ..Default::default() }).unwrap_err().to_string();
    assert!(error.starts_with("/nowhere/vestibule.toml: "), "{error}");
    let error = error_of("[server]\nworkers = 1\nbind = \n", &[]);
    assert!(error.contains("vestibule.toml, line 3: "), "{error}");
}

#[test]
fn without_settings_it_is_development_mode() {
    let bind = Some("[::1]:9000".into());
    let environment = owned(&[("VESTIBULE_PRESENCE__GRACE_MS", "100")]);
    let settings = load(&Sources { bind, environment, file: None }).unwrap();
    assert_eq!(settings.mode, Mode::Development);
    assert_eq!((settings.server.bind.port(), settings.presence.grace_ms), (9_000, 100));
    let made_up = settings.development.as_ref().unwrap();
    let group = settings.groups.get(&"12345".parse().unwrap()).unwrap();
    assert!(group.api_keys.accept(made_up.api_key.expose()));
    let folder = made_up.folder.path().to_owned();
    assert_eq!(*settings.storage.place(), *folder.join("vestibule.db").to_str().unwrap());
    assert!(folder.is_dir());
    drop(settings);
    assert!(!folder.exists());

    let bind = Some("0.0.0.0:8080".into());
    let error = load(&Sources { bind, ..Default::default() }).unwrap_err().to_string();
    assert!(error.starts_with("server.bind: without a settings file"), "{error}");
}

#[test]
fn settings_in_the_environment_alone_are_settings() {
    let environment =
        owned(&[("VESTIBULE_AUTH__SIGNING_KEY", KEY), ("VESTIBULE_GROUPS__0__ID", "7")]);
    let settings = load(&Sources { environment, ..Default::default() }).unwrap();
    assert_eq!(settings.mode, Mode::Production);
    assert_eq!(settings.facades.default_group, Some("7".parse().unwrap()));
}

#[test]
fn the_environment_names_the_file_unless_a_flag_does() {
    let environment = owned(&[("VESTIBULE_CONFIG", "/a.toml")]);
    let sources = Sources { environment, ..Default::default() }.with_file_of_environment();
    assert_eq!(sources.file, Some("/a.toml".into()));
    let sources = Sources { file: Some("/b.toml".into()), ..sources }.with_file_of_environment();
    assert_eq!(sources.file, Some("/b.toml".into()));
}

/// The sample with every line of settings switched on.
fn whole_sample() -> String {
    let setting = |line: &&str| {
        line.strip_prefix('#')
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '['))
    };
    let lines: Vec<_> =
        SAMPLE.lines().map(|line| if setting(&line) { &line[1..] } else { line }).collect();
    lines.join("\n")
}

#[test]
fn the_sample_shows_the_defaults() {
    let sample: wire::Wire = toml::from_str(SAMPLE).unwrap();
    assert_eq!(format!("{sample:?}"), format!("{:?}", wire::Wire::default()));
}

#[test]
fn the_sample_shows_every_setting_and_is_valid_once_filled_in() {
    let whole = whole_sample();
    let tree: toml::Table = whole.parse().unwrap();
    let unknown = |error: String| {
        let names =
            error.split_once("expected one of ").or(error.split_once("expected ")).unwrap().1;
        names
            .split(['`', ',', ' ', '\n'])
            .filter(|name| !name.is_empty() && *name != "or")
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let probe = |text: String| {
        unknown(toml::from_str::<wire::Wire>(&text).unwrap_err().message().to_owned())
    };
    let sections = probe("unknown = 1".into());
    assert_eq!(sections.len(), 14);
    for section in sections {
        let (header, shown) = match &tree[&section] {
            toml::Value::Array(list) => (format!("[[{section}]]"), list[0].as_table().unwrap()),
            table => (format!("[{section}]"), table.as_table().unwrap()),
        };
        for setting in probe(format!("{header}\nunknown = 1")) {
            assert!(shown.contains_key(&setting), "{section}.{setting}");
        }
    }
    assert!(error_of(&whole, &[]).starts_with("auth.signing_key: must have 32"));
    let filled = whole.replace("<32 characters or more>", KEY).replace("<16 or more>", KEY);
    let filled = filled.replace("<base64 of 24 to 64 bytes>", &"A".repeat(32));
    // The server that is named is for several nodes.
    let filled = filled.replace("engine = \"memory\"", "engine = \"redis\"");
    let (settings, _folder) = load_text(&filled, &[]).unwrap();
    assert_eq!(settings.groups.iter().next().unwrap().webhooks.len(), 1);
    let shown = tree["groups"][0]["webhooks"][0].as_table().unwrap();
    for setting in probe("[[groups]]\n[[groups.webhooks]]\nunknown = 1".into()) {
        assert!(shown.contains_key(&setting), "groups.webhooks.{setting}");
    }
    let shown = tree["groups"][0]["facades"].as_table().unwrap();
    for setting in probe("[[groups]]\n[groups.facades]\nunknown = 1".into()) {
        assert!(shown.contains_key(&setting), "groups.facades.{setting}");
    }
    let shown = tree["groups"][0]["cobrowse"].as_table().unwrap();
    for setting in probe("[[groups]]\n[groups.cobrowse]\nunknown = 1".into()) {
        assert!(shown.contains_key(&setting), "groups.cobrowse.{setting}");
    }
    let shown = tree["groups"][0]["chat"].as_table().unwrap();
    for setting in probe("[[groups]]\n[groups.chat]\nunknown = 1".into()) {
        assert!(shown.contains_key(&setting), "groups.chat.{setting}");
    }
}
