//! The signals that this crate uses, by name.

use std::fmt;

#[cfg(target_os = "linux")]
macro_rules! number {
    ($name:ident) => {
        Some(libc::$name)
    };
}
#[cfg(not(target_os = "linux"))]
macro_rules! number {
    ($name:ident) => {
        None
    };
}

macro_rules! table {
    ($($name:ident)*) => {
        &[$((stringify!($name), number!($name)),)*]
    };
}

/// A signal's name and, where it can be used, its number.
type Table = &'static [(&'static str, Option<i32>)];

/// The signals that a program may use for what it likes.
const USABLE: Table = table! {
    SIGURG SIGUSR1 SIGUSR2 SIGPROF SIGIO SIGPOLL SIGALRM SIGVTALRM SIGWINCH SIGPWR SIGSTKFLT
};

/// The others: they tell of a fault, or end, stop or continue a program, or mean
/// something when they are ignored (`SIGCHLD`, `SIGPIPE`).
const UNUSABLE: Table = table! {
    SIGKILL SIGSTOP SIGSEGV SIGBUS SIGFPE SIGILL SIGTRAP SIGABRT SIGSYS SIGHUP SIGINT SIGQUIT
    SIGTERM SIGTSTP SIGTTIN SIGTTOU SIGCONT SIGCHLD SIGPIPE SIGXCPU SIGXFSZ
};

/// The number of real-time signals that Linux leaves to programs, less one.
const LAST_REAL_TIME: u8 = 30;

/// A signal, or none: see [`Config::sample_signal`](super::Config::sample_signal) and
/// [`Config::dump_signal`](super::Config::dump_signal).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal(Choice);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Off,
    Named(&'static str),
    /// So many after the first.
    RealTime(u8),
}

impl Signal {
    /// No signal.
    pub const OFF: Signal = Signal(Choice::Off);

    /// `SIGURG`, which is ignored by programs that do not ask for it.
    pub const URG: Signal = Signal(Choice::Named("SIGURG"));

    /// `SIGUSR1`, which ends programs that do not ask for it.
    pub const USR1: Signal = Signal(Choice::Named("SIGUSR1"));

    /// The signal of this name, with or without `SIG`, in any case: `SIGURG`,
    /// `usr2`, `SIGRTMIN+3`; or `off`. `None` if there is no such signal, or if it
    /// is one that has another meaning, as `SIGKILL` has.
    pub fn named(name: &str) -> Option<Signal> {
        let name = name.to_ascii_uppercase();
        if name == "OFF" {
            return Some(Signal::OFF);
        }
        let short = name.strip_prefix("SIG").unwrap_or(&name);
        let choice = if let Some(after) = short.strip_prefix("RTMIN") {
            Choice::RealTime(real_time(after, '+')?)
        } else if let Some(before) = short.strip_prefix("RTMAX") {
            Choice::RealTime(LAST_REAL_TIME - real_time(before, '-')?)
        } else {
            let (name, _) = USABLE.iter().find(|(name, _)| name[3..] == *short)?;
            Choice::Named(name)
        };
        Some(Signal(choice))
    }

    /// Its number on this system; `None`: it is off, or has none that is known.
    pub(crate) fn number(self) -> Option<i32> {
        match self.0 {
            Choice::Off => None,
            Choice::Named(name) => USABLE.iter().find(|(usable, _)| *usable == name)?.1,
            Choice::RealTime(after) => real_times().map(|(first, _)| first + i32::from(after)),
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Choice::Off => f.write_str("off"),
            Choice::Named(name) => f.write_str(name),
            Choice::RealTime(0) => f.write_str("SIGRTMIN"),
            Choice::RealTime(after) => write!(f, "SIGRTMIN+{after}"),
        }
    }
}

/// The number in `+3`; 0 if nothing is there.
fn real_time(text: &str, sign: char) -> Option<u8> {
    let Some(number) = text.strip_prefix(sign) else {
        return text.is_empty().then_some(0);
    };
    // `parse` would take a sign of its own.
    let is_number = number.starts_with(|first: char| first.is_ascii_digit());
    let number = is_number.then(|| number.parse().ok())??;
    (number <= LAST_REAL_TIME).then_some(number)
}

/// The first and the last real-time signal. The C library keeps some for itself,
/// and tells which only when the program runs.
fn real_times() -> Option<(i32, i32)> {
    #[cfg(target_os = "linux")]
    return Some((libc::SIGRTMIN(), libc::SIGRTMAX()));
    #[cfg(not(target_os = "linux"))]
    None
}

/// Whether a program may use a signal for what it likes.
pub(crate) fn is_usable(signal: i32) -> bool {
    let is_real_time = real_times().is_some_and(|(first, last)| (first..=last).contains(&signal));
    is_real_time || USABLE.iter().any(|(_, number)| *number == Some(signal))
}

/// What people call a signal.
pub(crate) fn name_of(signal: i32) -> String {
    let mut known = USABLE.iter().chain(UNUSABLE);
    if let Some((name, _)) = known.find(|(_, number)| *number == Some(signal)) {
        return (*name).to_owned();
    }
    match real_times() {
        Some((first, last)) if (first..=last).contains(&signal) => {
            let after = u8::try_from(signal - first).unwrap_or(u8::MAX);
            Signal(Choice::RealTime(after)).to_string()
        }
        _ => format!("signal {signal}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(name: &str) -> Option<String> {
        Signal::named(name).map(|signal| signal.to_string())
    }

    #[test]
    fn names() {
        for (name, expected) in [
            ("SIGURG", Some("SIGURG")),
            ("urg", Some("SIGURG")),
            ("SigUsr2", Some("SIGUSR2")),
            ("rtmin", Some("SIGRTMIN")),
            ("SIGRTMIN+3", Some("SIGRTMIN+3")),
            ("SIGRTMAX", Some("SIGRTMIN+30")),
            ("SIGRTMAX-1", Some("SIGRTMIN+29")),
            ("Off", Some("off")),
            ("SIGKILL", None),
            ("SIGSEGV", None),
            ("SIGRTMIN+31", None),
            ("SIGRTMIN+-1", None),
            ("SIGRTMIN++1", None),
            ("SIGRTMIN3", None),
            ("SIG", None),
            ("23", None),
            ("", None),
        ] {
            assert_eq!(shown(name).as_deref(), expected, "{name}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn numbers() {
        assert_eq!(Signal::URG.number(), Some(libc::SIGURG));
        assert_eq!(Signal::OFF.number(), None);
        let third = Signal::named("SIGRTMIN+3").and_then(Signal::number);
        assert_eq!(third, Some(libc::SIGRTMIN() + 3));
        for signal in [libc::SIGURG, libc::SIGRTMIN(), libc::SIGRTMAX()] {
            assert!(is_usable(signal), "{}", name_of(signal));
        }
        for signal in [-1, 0, libc::SIGKILL, libc::SIGSEGV, 32, 65] {
            assert!(!is_usable(signal), "{}", name_of(signal));
        }
        assert_eq!(name_of(libc::SIGKILL), "SIGKILL");
        assert_eq!(name_of(libc::SIGRTMIN() + 3), "SIGRTMIN+3");
        assert_eq!(name_of(99), "signal 99");
    }
}
