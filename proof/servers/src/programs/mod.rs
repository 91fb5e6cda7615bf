//! The programs. Nothing in them is about the proof but the load, and the bug that is
//! planted where [`Load::has_bug`] says so.

mod cache;
mod grpc;
mod store;
mod web;

use std::process::ExitCode;
use std::str::FromStr;

use crate::load::Load;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    Axum,
    Tonic,
    Redis,
    Postgres,
}

impl Program {
    pub(crate) const ALL: [Program; 4] = [
        Program::Axum,
        Program::Tonic,
        Program::Redis,
        Program::Postgres,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Program::Axum => "axum",
            Program::Tonic => "tonic",
            Program::Redis => "redis",
            Program::Postgres => "postgres",
        }
    }

    /// Relative to this package.
    pub(crate) fn source(self) -> &'static str {
        match self {
            Program::Axum => "src/programs/web.rs",
            Program::Tonic => "src/programs/grpc.rs",
            Program::Redis => "src/programs/cache.rs",
            Program::Postgres => "src/programs/store.rs",
        }
    }

    pub(crate) fn run(self, load: Load) -> ExitCode {
        load.listen_to_reports();
        let ended = match self {
            Program::Axum => web::run(load),
            Program::Tonic => grpc::run(load),
            Program::Redis => cache::run(load),
            Program::Postgres => store::run(load),
        };
        match ended {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {error:#}");
                ExitCode::FAILURE
            }
        }
    }
}

impl FromStr for Program {
    type Err = String;

    fn from_str(name: &str) -> Result<Program, String> {
        Program::ALL
            .into_iter()
            .find(|program| program.name() == name)
            .ok_or_else(|| format!("no program `{name}`"))
    }
}
