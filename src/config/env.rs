//! The environment: one table of variables, which feeds the parser, the page of
//! documentation that [`VARS`] carries, and the tests.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::sync::OnceLock;

use super::{Config, Deny, Signal, StackMode};
use crate::kind::ReportKind;

/// One environment variable that this crate reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Var {
    /// Its name.
    pub name: &'static str,
    /// What it accepts, in words.
    pub accepts: &'static str,
    /// What holds without it.
    pub default: &'static str,
    /// What it sets.
    pub sets: &'static str,
}

macro_rules! vars {
    ($($name:literal, $accepts:literal, $default:literal, $sets:literal;)*) => {
        /// The environment variables that this crate reads, all of them.
        ///
        /// | variable | accepts | default | sets |
        /// |---|---|---|---|
        $(#[doc = concat!("| `", $name, "` | ", $accepts, " | ", $default, " | ", $sets, " |")])*
        ///
        /// They are read once, when the first runtime is built or the first
        /// object is tracked; what a program sets later has no effect. A value that
        /// is not accepted gives one warning and the default.
        pub const VARS: &[Var] = &[$(
            Var { name: $name, accepts: $accepts, default: $default, sets: $sets },
        )*];
    };
}

vars! {
    "ASYNC_DEBUG", "`1` or `true` (debug), `0`, `false` or empty (production), `off`", "production", "the mode";
    "ASYNC_DEBUG_SLOW_POLL", "a duration, such as `50ms` or `1s`", "`100ms`", "from when on a poll or a drop is slow";
    "ASYNC_DEBUG_BLOCKED", "a duration, such as `1s`", "`1s`", "how long a poll has been running when it is reported before its end";
    "ASYNC_DEBUG_STACK", "`off`, `short` or `full`", "`short`", "how much of a creation stack is kept";
    "ASYNC_DEBUG_AWAIT_STACKS", "`on` or `off`", "`on`", "whether the stack of each leaf that is waited on is kept";
    "ASYNC_DEBUG_NEVER_POLLED_AFTER", "a duration, such as `5s`", "`5s`", "the age at which a living object that was never polled is reported";
    "ASYNC_DEBUG_UNRETRIEVED_AFTER", "a duration, such as `5s`", "`5s`", "how long an error may lie unread in a handle that is kept";
    "ASYNC_DEBUG_LARGE_FUTURE", "a number of bytes, such as `16384`", "`16384`", "from which size on a spawned future is large";
    "ASYNC_DEBUG_SHUTDOWN_HANG", "a duration, such as `5s`", "`5s`", "how long the drop of a runtime may wait for blocking closures";
    "ASYNC_DEBUG_CLOSE_TIMEOUT", "a duration, such as `5s`", "`5s`", "how long the end of main waits for the cleanups of streams";
    "ASYNC_DEBUG_DENY", "`all`, or kinds separated by commas, such as `never_polled,slow_poll`", "nothing", "which findings make `#[debug_async::main]` fail";
    "ASYNC_DEBUG_SAMPLE_SIGNAL", "the name of a signal that has no other meaning, such as `SIGURG`, `SIGUSR2` or `SIGRTMIN+3`, or `off`", "`SIGURG`", "the signal that takes the stack of a thread while it blocks (Linux)";
    "ASYNC_DEBUG_DUMP_SIGNAL", "the name of a signal, as above, such as `USR1`, or `off`", "`SIGUSR1`, unless the program handles it", "the signal that writes a dump to stderr in debug mode (Linux)";
}

/// A setting in the environment that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    name: String,
    value: String,
    accepts: String,
}

impl ConfigError {
    /// The name of the variable.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value that it had.
    pub fn value(&self) -> &str {
        &self.value
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ConfigError {
            name,
            value,
            accepts,
        } = self;
        write!(
            f,
            "environment variable `{name}` is `{value}`; it accepts {accepts}"
        )
    }
}

impl std::error::Error for ConfigError {}

/// What `ASYNC_DEBUG` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SwitchedTo {
    Off,
    Production,
    Debug,
}

/// The environment, parsed.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    /// `None`: the variable is unset, empty or unusable.
    pub(crate) switch: Option<SwitchedTo>,
    pub(crate) config: Config,
    pub(crate) problems: Vec<ConfigError>,
}

impl Environment {
    /// The environment as it was when it was first asked for.
    pub(crate) fn get() -> &'static Environment {
        static ENVIRONMENT: OnceLock<Environment> = OnceLock::new();
        ENVIRONMENT.get_or_init(Environment::read)
    }

    /// The environment as it is now.
    pub(super) fn read() -> Environment {
        Environment::parse(std::env::vars_os())
    }

    pub(crate) fn parse(vars: impl Iterator<Item = (OsString, OsString)>) -> Environment {
        let mut environment = Environment::default();
        let ours = |name: &OsStr| {
            name == "ASYNC_DEBUG" || name.as_encoded_bytes().starts_with(b"ASYNC_DEBUG_")
        };
        for (name, value) in vars.filter(|(name, _)| ours(name)) {
            let name = name.to_string_lossy();
            let accepted = value
                .to_str()
                .is_some_and(|text| environment.apply(&name, text.trim()));
            if !accepted {
                environment.problems.push(ConfigError {
                    accepts: accepted_by(&name),
                    value: value.to_string_lossy().into_owned(),
                    name: name.into_owned(),
                });
            }
        }
        environment
    }

    /// Takes one variable; false if it is unknown or its value unusable.
    fn apply(&mut self, name: &str, value: &str) -> bool {
        // An empty value is an unset one, as Python has it.
        if value.is_empty() {
            return VARS.iter().any(|var| var.name == name);
        }
        let config = &mut self.config;
        match name {
            "ASYNC_DEBUG" => set(&mut self.switch, parse_switch(value)),
            "ASYNC_DEBUG_SLOW_POLL" => set(&mut config.slow_poll, parse_duration(value)),
            "ASYNC_DEBUG_BLOCKED" => set(&mut config.blocked, parse_duration(value)),
            "ASYNC_DEBUG_STACK" => set(&mut config.stack, parse_stack(value)),
            "ASYNC_DEBUG_AWAIT_STACKS" => set(&mut config.await_stacks, parse_on_off(value)),
            "ASYNC_DEBUG_NEVER_POLLED_AFTER" => {
                set(&mut config.never_polled_after, parse_duration(value))
            }
            "ASYNC_DEBUG_UNRETRIEVED_AFTER" => {
                set(&mut config.unretrieved_after, parse_duration(value))
            }
            "ASYNC_DEBUG_LARGE_FUTURE" => set(&mut config.large_future, value.parse().ok()),
            "ASYNC_DEBUG_SHUTDOWN_HANG" => set(&mut config.shutdown_hang, parse_duration(value)),
            "ASYNC_DEBUG_CLOSE_TIMEOUT" => set(&mut config.close_timeout, parse_duration(value)),
            "ASYNC_DEBUG_DENY" => set(&mut config.deny, parse_deny(value)),
            "ASYNC_DEBUG_SAMPLE_SIGNAL" => set(&mut config.sample_signal, Signal::named(value)),
            "ASYNC_DEBUG_DUMP_SIGNAL" => set(&mut config.dump_signal, Signal::named(value)),
            _ => false,
        }
    }
}

fn set<T>(place: &mut Option<T>, value: Option<T>) -> bool {
    let usable = value.is_some();
    if usable {
        *place = value;
    }
    usable
}

fn accepted_by(name: &str) -> String {
    match VARS.iter().find(|var| var.name == name) {
        Some(var) if var.name == "ASYNC_DEBUG_DENY" => {
            let kinds: Vec<&str> = ReportKind::ALL.iter().map(|kind| kind.name()).collect();
            format!("{}; the kinds are {}", var.accepts, kinds.join(", "))
        }
        Some(var) => var.accepts.to_owned(),
        None => {
            let names: Vec<&str> = VARS.iter().map(|var| var.name).collect();
            format!(
                "nothing: there is no such variable, only {}",
                names.join(", ")
            )
        }
    }
}

fn parse_switch(value: &str) -> Option<SwitchedTo> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "true" => Some(SwitchedTo::Debug),
        "0" | "false" => Some(SwitchedTo::Production),
        "off" => Some(SwitchedTo::Off),
        _ => None,
    }
}

fn parse_duration(value: &str) -> Option<std::time::Duration> {
    humantime::parse_duration(value).ok()
}

fn parse_on_off(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    }
}

fn parse_stack(value: &str) -> Option<StackMode> {
    match value.to_ascii_lowercase().as_str() {
        "off" => Some(StackMode::Off),
        "short" => Some(StackMode::Short),
        "full" => Some(StackMode::Full),
        _ => None,
    }
}

fn parse_deny(value: &str) -> Option<Deny> {
    if value.eq_ignore_ascii_case("all") {
        return Some(Deny::All);
    }
    let kinds = value
        .split(',')
        .map(|name| ReportKind::from_name(name.trim()));
    kinds.collect::<Option<Vec<_>>>().map(Deny::Kinds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&str, &str)]) -> Environment {
        Environment::parse(
            pairs
                .iter()
                .map(|(name, value)| (name.into(), value.into())),
        )
    }

    #[test]
    fn the_switch() {
        for (value, expected) in [
            ("1", Some(SwitchedTo::Debug)),
            ("true", Some(SwitchedTo::Debug)),
            ("0", Some(SwitchedTo::Production)),
            ("false", Some(SwitchedTo::Production)),
            ("off", Some(SwitchedTo::Off)),
            ("", None),
        ] {
            let environment = parse(&[("ASYNC_DEBUG", value)]);
            assert_eq!(environment.switch, expected, "{value}");
            assert_eq!(environment.problems, [], "{value}");
        }
    }

    #[test]
    fn every_variable_is_known_to_the_parser_and_refuses_nonsense() {
        for var in VARS {
            let environment = parse(&[(var.name, "?!")]);
            let [problem] = &environment.problems[..] else {
                panic!("{}: {:?}", var.name, environment.problems);
            };
            let text = problem.to_string();
            assert!(text.contains(var.name) && text.contains("?!"), "{text}");
            assert!(text.contains(var.accepts), "{text}");
            assert!(parse(&[(var.name, "")]).problems.is_empty(), "{}", var.name);
        }
    }

    #[test]
    fn every_variable_sets_something() {
        let examples = [
            ("ASYNC_DEBUG_SLOW_POLL", "50ms"),
            ("ASYNC_DEBUG_BLOCKED", "3s"),
            ("ASYNC_DEBUG_STACK", "full"),
            ("ASYNC_DEBUG_AWAIT_STACKS", "off"),
            ("ASYNC_DEBUG_NEVER_POLLED_AFTER", "1s"),
            ("ASYNC_DEBUG_UNRETRIEVED_AFTER", "1s"),
            ("ASYNC_DEBUG_LARGE_FUTURE", "1024"),
            ("ASYNC_DEBUG_SHUTDOWN_HANG", "1s"),
            ("ASYNC_DEBUG_CLOSE_TIMEOUT", "1s"),
            ("ASYNC_DEBUG_DENY", "never_polled, slow_poll"),
            ("ASYNC_DEBUG_SAMPLE_SIGNAL", "usr2"),
            ("ASYNC_DEBUG_DUMP_SIGNAL", "USR2"),
        ];
        assert_eq!(examples.len() + 1, VARS.len());
        for (name, value) in examples {
            let environment = parse(&[(name, value)]);
            assert!(environment.problems.is_empty(), "{name}");
            assert_ne!(environment.config, Config::new(), "{name}");
        }
    }

    #[test]
    fn a_misspelt_variable_is_named() {
        let environment = parse(&[("ASYNC_DEBUG_SLOWPOLL", "50ms"), ("ASYNC_DEBUGGER", "1")]);
        assert_eq!(environment.problems.len(), 1);
        let text = environment.problems[0].to_string();
        assert!(text.contains("ASYNC_DEBUG_SLOWPOLL") && text.contains("ASYNC_DEBUG_SLOW_POLL"));
    }

    #[test]
    fn denied_kinds() {
        let deny = |value| parse(&[("ASYNC_DEBUG_DENY", value)]).config.deny;
        assert_eq!(deny("all"), Some(Deny::All));
        assert_eq!(
            deny("slow_poll"),
            Some(Deny::Kinds(vec![ReportKind::SlowPoll]))
        );
        assert_eq!(deny("slow_poll,nonsense"), None);
    }
}
