use std::fs;

use tempfile::TempDir;

use super::*;

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const SETTINGS: &str = r#"
    [auth]
    signing_key = "planted-signing-key-0123456789abcdef"
    [[groups]]
    id = "12345"
    name = "Shop"
    visitor_origins = ["https://shop.example.com"]
    api_keys = ["planted-api-key-0123"]
    partner_key = "planted-partner-key"
    visitor_keys = ["planted-key-that-signs-visitor-ids"]
    [[groups]]
    id = 2
"#;

fn run(line: &str) -> Result<String, String> {
    run_with(SETTINGS, line)
}

fn run_with(settings: &str, line: &str) -> Result<String, String> {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("vestibule.toml");
    fs::write(&file, settings).unwrap();
    let line = line.replace("FILE", file.to_str().unwrap());
    let words = std::iter::once("vestibule").chain(line.split_whitespace());
    let cli = Cli::try_parse_from(words).map_err(|error| error.to_string())?;
    match cli.into_command() {
        Command::Token(arguments) => arguments.run(NOW),
        Command::Loginkey(arguments) => arguments.run(NOW),
        Command::Visitorsignature(arguments) => arguments.run(),
        Command::Check(arguments) => arguments.check(NOW),
        Command::Serve(arguments) => {
            return Ok(format!("serve {:?}", arguments.load().unwrap().server.bind));
        }
        Command::Openapi | Command::Asyncapi => return Ok("document".into()),
    }
    .map_err(|error| error.to_string())
}

fn agent_of(token: &str) -> crate::auth::Agent {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("vestibule.toml");
    fs::write(&file, SETTINGS).unwrap();
    let settings = ConfigArgument { config: Some(file) }.load().unwrap();
    settings.auth.token_service().verify(token, NOW).unwrap()
}

#[test]
fn the_definition_is_consistent() {
    use clap::CommandFactory as _;
    Cli::command().debug_assert();
}

#[test]
fn serving_needs_no_word() {
    for line in ["--config FILE --bind 127.0.0.1:0", "serve --config FILE --bind 127.0.0.1:0"] {
        assert_eq!(run(line).unwrap(), "serve 127.0.0.1:0");
    }
    assert_eq!(run("openapi").unwrap(), "document");
    assert!(run("--bind 127.0.0.1:0 openapi").is_err());
}

#[test]
fn a_token_is_all_but_operate_unless_asked() {
    let agent = agent_of(&run("token --config FILE --group 12345").unwrap());
    assert_eq!((agent.scope, &*agent.subject), (Scope::AGENT, "cli"));
    assert_eq!(agent.expires, NOW + 60 * 60_000);
    let line = "token --config FILE --group 12345 --name Ada --subject ada --minutes 5 \
                --scope read,signal --scope operate";
    let agent = agent_of(&run(line).unwrap());
    assert_eq!(agent.scope, Scope::READ | Scope::SIGNAL | Scope::OPERATE);
    assert_eq!((agent.name.as_deref(), &*agent.subject), (Some("Ada"), "ada"));
    assert_eq!(agent.expires, NOW + 5 * 60_000);
}

#[test]
fn a_token_has_rights_to_topics_where_they_are_asked_for() {
    let agent = agent_of(&run("token --config FILE --group 12345").unwrap());
    assert!(agent.topic_rights().is_empty());
    let line = "token --config FILE --group 12345 --publish a/# --publish b --subscribe +/c";
    let rights = agent_of(&run(line).unwrap()).topic_rights();
    assert_eq!((rights.publish.len(), rights.subscribe.len()), (2, 1));
    let without = agent_of(&run(&format!("{line} --scope read")).unwrap());
    assert!(without.topic_rights().is_empty(), "the claim is nothing without the scope");
    assert!(run("token --config FILE --group 12345 --publish a+").is_err());
}

#[test]
fn a_login_key_is_the_partners() {
    let key = run("loginkey --config FILE --group 12345 --user ada --minutes 10").unwrap();
    let partner = crate::auth::Partner { id: "12345".into(), key: "planted-partner-key".into() };
    assert_eq!(partner.verify("ada", &key, NOW), Ok(()));
    assert!(partner.verify("ada", &key, NOW + 600_000).is_err());
}

/// By `printf 12345:ada | openssl dgst -sha256 -hmac planted-key-that-signs-visitor-ids`.
#[test]
fn a_visitor_id_is_signed_as_documented() {
    let signature = run("visitorsignature --config FILE --group 12345 --visitor ada").unwrap();
    assert_eq!(signature, "59899b8075ae37d5ca3678887c5de857a4da4d45ee5fdfb7a34b5db01e05d82b");
}

#[test]
fn what_is_wrong_is_said() {
    for (line, part) in [
        ("token --config FILE --group 9", "there is no group 9"),
        ("token --config FILE --group x", "group must be 1 to 20 digits"),
        ("token --config FILE --group 2 --minutes 121", "minutes must be 1 to 120"),
        ("token --config FILE --group 2 --subject \u{1}", "subject must be 1 to 255 characters"),
        ("token --config FILE --group 2 --scope fly", "unknown scope; known are read"),
        ("token --group 2", "name the settings file with --config"),
        ("loginkey --config FILE --group 2 --user a", "group 2 has no partner_key"),
        ("loginkey --config FILE --group 12345 --user a --minutes 1441", "1441 is not in"),
        ("check --config /nowhere.toml", "/nowhere.toml: "),
        ("visitorsignature --config FILE --group 2 --visitor a", "group 2 has no visitor_keys"),
        ("visitorsignature --config FILE --group 2 --visitor é", "visitorid must be 1 to 100"),
        ("fly", "fly"),
    ] {
        let error = run(line).unwrap_err();
        assert!(error.contains(part), "{line}\n{error}");
    }
}

#[test]
fn check_sums_up_without_secrets() {
    let summary = run("check --config FILE").unwrap();
    assert!(summary.starts_with("ok\nmode: production\nlistens on 127.0.0.1:8080 with "));
    let group = "group 12345 (Shop): visitor origins 1, agent origins 0, API keys 1, partner 12345";
    assert!(summary.contains(group), "{summary}");
    assert!(summary.contains("note: group 2 lets no visitor's page in"), "{summary}");
    assert!(!summary.contains("planted"), "{summary}");
    assert!(!summary.contains("several nodes"), "{summary}");
    let cluster = "[cluster]\nengine = \"redis\"\nurl = \"redis://shop:planted@db.internal\"";
    let summary = run_with(&format!("{SETTINGS}{cluster}"), "check --config FILE").unwrap();
    let nodes = "\none of several nodes, which share redis://db.internal:6379\n";
    assert!(summary.contains(nodes) && !summary.contains("planted"), "{summary}");
    let error = run_with("[server]\nbnd = 1", "check --config FILE").unwrap_err();
    assert!(error.starts_with("server.bnd: unknown field"), "{error}");
}
