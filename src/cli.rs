//! The command line. Commands that only need settings run here and give the text to print.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::{
    auth::{AuthError, Minutes, Mode, Scope, TokenRequest},
    clock::Timestamp,
    model::{
        error::Problem,
        ids::{GroupId, VisitorId},
        topic::{RightsWish, TopicFilter},
    },
    settings::{self, Group, Settings, SettingsError, Sources},
    tls,
};

/// Presence, signalling and co-browse for web sites, in one server.
///
/// Without a command it serves; without settings, in development mode.
#[derive(Debug, Parser)]
#[command(name = "vestibule", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArguments,
}

impl Cli {
    /// The command; `serve` when none is named.
    #[must_use]
    pub fn into_command(self) -> Command {
        self.command.unwrap_or(Command::Serve(self.serve))
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server.
    Serve(ServeArguments),
    /// Print a token for an agent of a group.
    Token(TokenArguments),
    /// Print a login key for a user of a group's partner.
    Loginkey(LoginKeyArguments),
    /// Print the signature of a visitor id, under the first of a group's visitor keys.
    Visitorsignature(VisitorSignatureArguments),
    /// Check the settings and print a summary without secrets.
    Check(ConfigArgument),
    /// Print the OpenAPI document of the REST interface.
    Openapi,
    /// Print the AsyncAPI document of the sockets.
    Asyncapi,
}

/// Where the settings are.
#[derive(Args, Clone, Debug)]
pub struct ConfigArgument {
    /// The settings file [env: VESTIBULE_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Arguments of `serve`.
#[derive(Args, Clone, Debug)]
pub struct ServeArguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// Listen here; overrides `server.bind`.
    #[arg(long, value_name = "ADDR:PORT")]
    bind: Option<String>,
}

/// Arguments of `token`.
#[derive(Args, Clone, Debug)]
pub struct TokenArguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// The group that the token is for.
    #[arg(long)]
    group: GroupId,
    /// What people call the agent.
    #[arg(long)]
    name: Option<String>,
    /// Who the agent is to your systems.
    #[arg(long, default_value = "cli")]
    subject: String,
    /// What the agent may do; repeat it or use commas [default: all but operate]
    #[arg(long, value_delimiter = ',')]
    scope: Vec<Scope>,
    /// Topics that the agent may publish to, as a filter; repeat it [default: none]
    #[arg(long, value_name = "FILTER")]
    publish: Vec<TopicFilter>,
    /// Topics that the agent may subscribe to, as a filter; repeat it [default: none]
    #[arg(long, value_name = "FILTER")]
    subscribe: Vec<TopicFilter>,
    /// How long the token lives, 1 to 120 [default: `auth.token_minutes`]
    #[arg(long)]
    minutes: Option<u64>,
}

/// Arguments of `loginkey`.
#[derive(Args, Clone, Debug)]
pub struct LoginKeyArguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// The group whose partner vouches for the user.
    #[arg(long)]
    group: GroupId,
    /// The partner's user.
    #[arg(long)]
    user: String,
    /// How long the login key is valid, 1 to 1440.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=1_440))]
    minutes: u64,
}

/// Arguments of `visitorsignature`.
#[derive(Args, Clone, Debug)]
pub struct VisitorSignatureArguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// The group whose key signs.
    #[arg(long)]
    group: GroupId,
    /// The visitor.
    #[arg(long)]
    visitor: VisitorId,
}

/// Why a command gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The settings cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The certificate or its key cannot be used.
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
    /// The wish breaks a rule.
    #[error("{}{}", .0.field.as_deref().map(|field| format!("{field} ")).unwrap_or_default(), .0.message)]
    Problem(#[from] Problem),
    /// The user's id breaks its rule.
    #[error("user must be 1 to 255 characters")]
    User(#[from] AuthError),
    /// Keys made in development mode are unknown to any server.
    #[error("name the settings file with --config: without one, each server makes keys of its own")]
    Development,
    /// The settings have no such group.
    #[error("there is no group {0} in the settings")]
    Group(GroupId),
    /// The group has no visitor keys.
    #[error("group {0} has no visitor_keys in the settings")]
    VisitorKeys(GroupId),
    /// The group has no partner.
    #[error("group {0} has no partner_key in the settings")]
    Partner(GroupId),
}

impl ConfigArgument {
    /// Reads the settings.
    ///
    /// # Errors
    /// See [`settings::load`].
    pub fn load(self) -> Result<Settings, SettingsError> {
        settings::load(&Sources::of_process(self.config, None))
    }

    fn load_production(self) -> Result<Settings, CliError> {
        let settings = self.load()?;
        match settings.mode {
            Mode::Production => Ok(settings),
            Mode::Development => Err(CliError::Development),
        }
    }

    /// `vestibule check`: `ok` and a summary.
    ///
    /// # Errors
    /// The settings cannot be used.
    pub fn check(self, now: Timestamp) -> Result<String, CliError> {
        let settings = self.load()?;
        let mut lines = summary(&settings);
        if let Some(options) = &settings.server.tls {
            let pair = tls::Pair::read(options)?;
            let (names, until) = (pair.names().join(", "), pair.ends().to_rfc3339());
            lines.push(format!("TLS: certificate for {names}, until {until}"));
            lines.extend(pair.warning(now).map(|warning| format!("warning: {warning}")));
        }
        Ok(lines.join("\n"))
    }
}

impl ServeArguments {
    /// Reads the settings, flags included.
    ///
    /// # Errors
    /// See [`settings::load`].
    pub fn load(self) -> Result<Settings, SettingsError> {
        settings::load(&Sources::of_process(self.config.config, self.bind))
    }
}

impl TokenArguments {
    /// `vestibule token`: the token.
    ///
    /// # Errors
    /// The settings cannot be used, or a flag breaks a rule.
    pub fn run(self, now: Timestamp) -> Result<String, CliError> {
        let settings = self.config.load_production()?;
        let group = group(&settings, &self.group)?;
        let asked = self.scope.into_iter().reduce(std::ops::BitOr::bitor);
        let request = TokenRequest {
            group: group.id.clone(),
            subject: self.subject,
            name: self.name,
            scope: asked.unwrap_or(Scope::AGENT),
            topics: RightsWish { publish: self.publish, subscribe: self.subscribe }
                .checked("topics")?,
            minutes: self.minutes.map(Minutes::checked).transpose()?,
        };
        Ok(settings.auth.token_service().issue(request, now)?.token)
    }
}

impl LoginKeyArguments {
    /// `vestibule loginkey`: the login key.
    ///
    /// # Errors
    /// The settings cannot be used, or the group has no partner.
    pub fn run(self, now: Timestamp) -> Result<String, CliError> {
        let settings = self.config.load_production()?;
        let group = group(&settings, &self.group)?;
        let partner = group.partner.as_ref().ok_or_else(|| CliError::Partner(group.id.clone()))?;
        Ok(partner.login_key(&self.user, now + self.minutes * 60_000)?)
    }
}

impl VisitorSignatureArguments {
    /// `vestibule visitorsignature`: the signature, in hexadecimal.
    ///
    /// # Errors
    /// The settings cannot be used, or the group has no visitor keys.
    pub fn run(self) -> Result<String, CliError> {
        let settings = self.config.load_production()?;
        let group = group(&settings, &self.group)?;
        let signature = group.visitor_signatures.sign(&group.id, &self.visitor);
        signature.ok_or_else(|| CliError::VisitorKeys(group.id.clone()))
    }
}

fn group<'a>(settings: &'a Settings, id: &GroupId) -> Result<&'a Group, CliError> {
    settings.groups.get(id).map(AsRef::as_ref).ok_or_else(|| CliError::Group(id.clone()))
}

fn summary(settings: &Settings) -> Vec<String> {
    let server = &settings.server;
    let mut lines = vec![
        "ok".to_owned(),
        format!("mode: {:?}", settings.mode).to_lowercase(),
        format!("listens on {} with {} workers", server.bind, server.workers),
    ];
    if settings.mode == Mode::Production {
        lines.push(format!("storage: {}", settings.storage.place()));
    }
    if let Some(cluster) = &settings.cluster {
        lines.push(format!("one of several nodes, which share {:?}", cluster.url));
    }
    for group in settings.groups.iter() {
        let name = group.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
        let partner = group.partner.as_ref().map_or("none".to_owned(), |found| found.id.clone());
        lines.push(format!(
            "group {}{name}: visitor origins {}, agent origins {}, API keys {}, partner {partner}",
            group.id,
            group.visitor_origins.len(),
            group.agent_origins.len(),
            group.api_keys.len(),
        ));
        if settings.mode == Mode::Production && group.visitor_origins.is_empty() {
            lines.push(format!("note: group {} lets no visitor's page in", group.id));
        }
    }
    if settings.groups.is_empty() {
        lines.push("note: without a group, nobody can come in".to_owned());
    }
    lines
}

#[cfg(test)]
#[path = "cli_tests.rs"]
mod tests;
