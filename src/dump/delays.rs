//! How late tasks are polled, by where they were spawned.

use std::collections::HashMap;
use std::fmt;
use std::panic::Location;
use std::time::Duration;

use super::snapshot::{State, Tracked};
use crate::clock;
use crate::delay::Delay;
use crate::site::{self, Site};

/// How late the tasks of one site were polled, in a [`Snapshot`](super::Snapshot): those
/// that are alive, and those that are gone.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SiteDelay {
    /// Where in the program's text they were spawned.
    #[cfg_attr(feature = "serde", serde(serialize_with = "super::serial::site"))]
    pub site: &'static Location<'static>,
    /// From a wake to the poll that it asked for.
    pub delay: Delay,
}

/// So many sites are printed.
const SHOWN: usize = 5;

/// What is shorter is as it should be.
const WORTH: Duration = Duration::from_millis(1);

/// Those of every site that has any, the longest first. `gone`: those that are gone too.
pub(super) fn by_site(objects: &[Tracked], gone: bool) -> Vec<SiteDelay> {
    let sites = if gone { site::all() } else { Vec::new() };
    let key = |site: &'static Location<'static>| (site.file(), site.line(), site.column());
    let of_gone = |site: &&'static Site| Some((site.location(), site.delays().get()?));
    let is_gone = |object: &Tracked| gone && object.state == State::FinishedUnread;
    let of_alive =
        |object: &Tracked| Some((object.site, object.delay.filter(|_| !is_gone(object))?));
    let of_gone = sites.iter().filter_map(of_gone);
    let mut all: HashMap<_, SiteDelay> = HashMap::new();
    for (site, delay) in of_gone.chain(objects.iter().filter_map(of_alive)) {
        let new = || SiteDelay {
            site,
            delay: Delay::default(),
        };
        all.entry(key(site)).or_insert_with(new).delay.add(delay);
    }
    let mut all: Vec<SiteDelay> = all.into_values().collect();
    all.sort_by_key(|site| (std::cmp::Reverse(site.delay.longest), key(site.site)));
    all
}

/// Those that are worth a line.
pub(super) fn print(delays: &[SiteDelay], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let shown = delays.iter().filter(|site| site.delay.longest >= WORTH);
    for (index, SiteDelay { site, delay }) in shown.take(SHOWN).enumerate() {
        if index == 0 {
            f.write_str("\npolled late, from a wake to the poll that it asked for:")?;
        }
        let (mean, longest) = (clock::human(delay.mean()), clock::human(delay.longest));
        let polls = delay.polls;
        write!(
            f,
            "\n  {longest} at most, {mean} on average over {polls}: spawned at {site}"
        )?;
    }
    Ok(())
}
