//! Where no thread can be asked for its stack.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use super::{Missed, Refused, Sample};
use crate::config;

/// There is none.
#[derive(Clone, Debug)]
pub(crate) enum Thread {}

impl Thread {
    pub(crate) fn current() -> Option<Thread> {
        None
    }

    pub(crate) fn name(&self) -> Option<&str> {
        match *self {}
    }

    pub(crate) fn cpu_time(&self) -> Option<Duration> {
        match *self {}
    }

    pub(crate) fn queued(&self) -> Option<Duration> {
        match *self {}
    }

    pub(crate) fn state(&self) -> Option<char> {
        match *self {}
    }

    pub(crate) fn is_runnable(&self) -> Option<bool> {
        match *self {}
    }
}

/// There is none.
#[derive(Debug)]
pub(crate) enum Sampler {}

impl Sampler {
    pub(crate) fn install(signal: i32) -> Result<Sampler, Refused> {
        Err(if config::is_usable(signal) {
            Refused::Unsupported
        } else {
            Refused::Unusable(signal)
        })
    }

    pub(crate) fn sample(&mut self, thread: &Thread, _: &AtomicU64) -> Result<Sample, Missed> {
        match *thread {}
    }

    pub(crate) fn task(&mut self, thread: &Thread) -> Result<Option<tokio::task::Id>, Missed> {
        match *thread {}
    }
}
