//! The arguments of `#[main]` and `#[test]`: which there are, what they take, and which go together.

use std::time::Duration;

use proc_macro2::Span;
use syn::{Ident, LitBool, LitStr};

use super::Entry;
use crate::args::{Arg, Errors, Once};
use crate::krate::Krate;

/// The runtime to build.
pub(crate) struct Config {
    pub(super) flavor: Flavor,
    pub(super) worker_threads: Option<usize>,
    pub(super) start_paused: Option<LitBool>,
    /// The name of the variant of tokio's `UnhandledPanic`.
    pub(super) unhandled_panic: Option<Ident>,
    pub(super) name: Option<LitStr>,
    pub(super) debug: Option<bool>,
    pub(super) slow_poll: Option<Duration>,
    pub(super) timeout: Option<Duration>,
    pub(super) krate: Krate,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flavor {
    MultiThread,
    CurrentThread,
    Local,
}

/// The arguments there are, for the message about one that there is not.
const KNOWN: &str = "`flavor`, `worker_threads`, `start_paused`, `unhandled_panic`, `name`, \
                     `debug`, `slow_poll`, `crate`, and for a test `timeout`";

#[derive(Default)]
struct Given {
    flavor: Once<Flavor>,
    worker_threads: Once<usize>,
    start_paused: Once<LitBool>,
    unhandled_panic: Once<Ident>,
    name: Once<LitStr>,
    debug: Once<LitBool>,
    slow_poll: Once<Duration>,
    timeout: Once<Duration>,
    krate: Once<syn::Path>,
}

impl Config {
    /// The configuration that `args` ask for; what is wrong with them is left out of it.
    pub(super) fn new(entry: Entry, args: &[Arg], errors: &mut Errors) -> Self {
        let mut given = Given::default();
        for arg in args {
            given.take(arg, errors);
        }
        let default = match entry {
            Entry::Main => Flavor::MultiThread,
            Entry::Test => Flavor::CurrentThread,
        };
        let flavor = given.flavor.get().copied().unwrap_or(default);
        given.reject_what_does_not_fit(entry, flavor, errors);
        Self {
            flavor,
            worker_threads: given.worker_threads.get().copied(),
            start_paused: given.start_paused.get().cloned(),
            unhandled_panic: given.unhandled_panic.get().cloned(),
            name: given.name.get().cloned(),
            debug: given.debug.get().map(LitBool::value),
            slow_poll: given.slow_poll.get().copied(),
            timeout: given.timeout.get().copied(),
            krate: Krate::new(given.krate.get().cloned()),
        }
    }
}

impl Given {
    fn take(&mut self, arg: &Arg, errors: &mut Errors) {
        match arg.name().as_str() {
            "flavor" => self.flavor.set(arg, flavor(arg), errors),
            "worker_threads" => self.worker_threads.set(arg, worker_threads(arg), errors),
            "start_paused" => self.start_paused.set(arg, arg.bool().cloned(), errors),
            "unhandled_panic" => self.unhandled_panic.set(arg, unhandled_panic(arg), errors),
            "name" => self
                .name
                .set(arg, arg.string("my-runtime").cloned(), errors),
            "debug" => self.debug.set(arg, arg.bool().cloned(), errors),
            "slow_poll" => self.slow_poll.set(arg, duration(arg, "50ms"), errors),
            "timeout" => self.timeout.set(arg, duration(arg, "5s"), errors),
            "crate" => self.krate.set(arg, arg.path(), errors),
            "multi_thread" | "current_thread" | "local" => {
                let message = format!("a flavor is chosen by `flavor = \"{}\"`", arg.key);
                errors.at(arg.key.span(), message);
            }
            unknown => {
                let message = format!("there is no argument `{unknown}`; there are {KNOWN}");
                errors.at(arg.key.span(), message);
            }
        }
    }

    /// As tokio has it: threads can be counted where there are several, and a clock paused where
    /// there is one.
    fn reject_what_does_not_fit(&mut self, entry: Entry, flavor: Flavor, errors: &mut Errors) {
        if entry == Entry::Main
            && let Some(span) = self.timeout.withdraw()
        {
            errors.at(span, "`timeout` is for a test: `#[test(timeout = \"5s\")]`");
        }
        let mut reject = |span: Option<Span>, key: &str, needed: &str| {
            if let Some(span) = span {
                let attribute = entry.name();
                let message = format!(
                    "`{key}` needs another flavor: `#[{attribute}(flavor = \"{needed}\", …)]`"
                );
                errors.at(span, message);
            }
        };
        if flavor == Flavor::MultiThread {
            reject(
                self.start_paused.withdraw(),
                "start_paused",
                "current_thread",
            );
            reject(
                self.unhandled_panic.withdraw(),
                "unhandled_panic",
                "current_thread",
            );
        } else {
            reject(
                self.worker_threads.withdraw(),
                "worker_threads",
                "multi_thread",
            );
        }
    }
}

fn flavor(arg: &Arg) -> syn::Result<Flavor> {
    let string = arg.string("multi_thread")?;
    let value = string.value();
    match value.as_str() {
        "multi_thread" => Ok(Flavor::MultiThread),
        "current_thread" => Ok(Flavor::CurrentThread),
        "local" => Ok(Flavor::Local),
        _ => Err(syn::Error::new(
            string.span(),
            format!(
                "there is no flavor `{value}`; \
                 there are \"multi_thread\", \"current_thread\" and \"local\""
            ),
        )),
    }
}

fn worker_threads(arg: &Arg) -> syn::Result<usize> {
    let int = arg.int()?;
    match int.base10_parse() {
        Ok(0) => Err(syn::Error::new(
            int.span(),
            "`worker_threads` must be at least 1",
        )),
        Ok(threads) => Ok(threads),
        Err(error) => Err(syn::Error::new(
            int.span(),
            format!("`worker_threads` takes a number of threads: {error}"),
        )),
    }
}

fn unhandled_panic(arg: &Arg) -> syn::Result<Ident> {
    let string = arg.string("ignore")?;
    let value = string.value();
    let variant = match value.as_str() {
        "ignore" => "Ignore",
        "shutdown_runtime" => "ShutdownRuntime",
        _ => {
            let message = format!(
                "`unhandled_panic` cannot be `{value}`; \
                 it can be \"ignore\" or \"shutdown_runtime\""
            );
            return Err(syn::Error::new(string.span(), message));
        }
    };
    Ok(Ident::new(variant, string.span()))
}

fn duration(arg: &Arg, example: &str) -> syn::Result<Duration> {
    let string = arg.string(example)?;
    humantime::parse_duration(&string.value()).map_err(|error| {
        let message = format!(
            "`{}` takes a duration as humantime writes it, \
             as in \"50ms\", \"2s\" or \"1m 30s\": {error}",
            arg.key
        );
        syn::Error::new(string.span(), message)
    })
}
