//! Arguments to settings to app; nothing else.

use std::{io::Write as _, process::ExitCode};

use clap::Parser as _;
use vestibule::{
    cli::{Cli, CliError, Command},
    clock::Clock,
};

fn main() -> ExitCode {
    let now = Clock::system().wall();
    match Cli::parse().into_command() {
        Command::Token(arguments) => print(arguments.run(now)),
        Command::Loginkey(arguments) => print(arguments.run(now)),
        Command::Check(arguments) => print(arguments.check()),

        Command::Serve(_) | Command::Openapi | Command::Asyncapi => {
            eprintln!("vestibule: this build cannot do that yet");
            ExitCode::FAILURE
        }
    }
}

/// Prints what a command gave: 0, or 2 when an argument or setting is wrong.
fn print(outcome: Result<String, CliError>) -> ExitCode {
    match outcome {
        Ok(text) => {
            // A reader that went away (`| head`) is no failure of ours.
            let _ = writeln!(std::io::stdout(), "{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("vestibule: {error}");
            ExitCode::from(2)
        }
    }
}
