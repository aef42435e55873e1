//! Arguments to settings to app; nothing else.

use std::{io::Write as _, process::ExitCode};

use clap::Parser as _;
use vestibule::{
    app::{self, End},
    cli::{Cli, CliError, Command, ServeArguments},
    clock::Clock,
    settings::Facades,
    telemetry,
};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let now = Clock::system().wall();
    match Cli::parse().into_command() {
        Command::Serve(arguments) => serve(arguments),
        Command::Token(arguments) => print(arguments.run(now)),
        Command::Loginkey(arguments) => print(arguments.run(now)),
        Command::Visitorsignature(arguments) => print(arguments.run()),
        Command::Check(arguments) => print(arguments.check(now)),
        Command::Openapi => {
            print(Ok(app::documents(None, &Facades::ALL).openapi.trim_end().to_owned()))
        }
        Command::Asyncapi => {
            print(Ok(app::documents(None, &Facades::ALL).asyncapi.trim_end().to_owned()))
        }
    }
}

fn serve(arguments: ServeArguments) -> ExitCode {
    let mut log = None;
    loop {
        let settings = match arguments.clone().load() {
            Ok(settings) => settings,
            Err(error) => return print(Err(error.into())),
        };
        let begun =
            log.get_or_insert_with(|| telemetry::init(settings.log.format, &settings.log.filter));
        if let Err(error) = begun {
            eprintln!("vestibule: {error}");
            return ExitCode::from(2);
        }
        telemetry::log_panics();
        let greeting = app::greeting(&settings);
        let served = actix_rt::System::new().block_on(app::serve(settings, |address| {
            let _ = writeln!(std::io::stdout(), "{}", greeting(address));
        }));
        match served {
            Ok(End::Stopped) => return ExitCode::SUCCESS,
            // Under a new incarnation, by the settings as they are now.
            Ok(End::Again) => {}
            Err(error) => {
                eprintln!("vestibule: {error}");
                return ExitCode::FAILURE;
            }
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
