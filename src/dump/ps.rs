//! The table: a line for each tracked object.

use std::fmt;

use super::delays;
use super::snapshot::{Leaf, Snapshot, State, Tracked};
use crate::clock;
use crate::delay::Delay;

const HEADS: [&str; 11] = [
    "id",
    "kind",
    "name",
    "state",
    "polls",
    "busy",
    "late",
    "age",
    "last poll",
    "waits at",
    "created at",
];

/// No column but the last is wider.
const WIDEST: usize = 60;

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.objects.is_empty() {
            f.write_str("nothing is alive that was created in debug mode")?;
        } else {
            table(&self.objects, f)?;
        }
        delays::print(&self.delays, f)?;
        untracked(self.untracked, f)
    }
}

/// Says how much is missing, if something is.
pub(super) fn untracked(untracked: Option<usize>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match untracked {
        Some(1) => f.write_str("\nand 1 task that is not tracked"),
        Some(tasks @ 2..) => write!(f, "\nand {tasks} tasks that are not tracked"),
        Some(0) | None => Ok(()),
    }
}

fn table(objects: &[Tracked], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let rows: Vec<[String; 11]> = objects.iter().map(row).collect();
    let mut widths = HEADS.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count().min(WIDEST));
        }
    }
    line(&HEADS, &widths, f)?;
    for row in &rows {
        f.write_str("\n")?;
        line(&row.each_ref().map(String::as_str), &widths, f)?;
    }
    Ok(())
}

fn line(cells: &[&str; 11], widths: &[usize; 11], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let [id, rest @ .., last] = cells;
    write!(f, "{id:>width$}", width = widths[0])?;
    for (cell, width) in rest.iter().zip(&widths[1..]) {
        write!(f, "  {cell:<width$}")?;
    }
    write!(f, "  {last}")
}

fn row(object: &Tracked) -> [String; 11] {
    [
        object.id.to_string(),
        object.kind.to_string(),
        object.name.clone(),
        object.state.to_string(),
        polls(object),
        clock::human(object.busy),
        object.delay.map_or_else(|| "-".to_owned(), late),
        clock::human(object.age),
        object
            .last_polled
            .map_or_else(|| "-".to_owned(), clock::human),
        waits_at(object),
        object.site.to_string(),
    ]
}

fn polls(object: &Tracked) -> String {
    match object.through() {
        Some(through) => format!("{} ({through})", object.polls),
        None => object.polls.to_string(),
    }
}

/// `12us, 3ms at most`
fn late(delay: Delay) -> String {
    let (mean, longest) = (clock::human(delay.mean()), clock::human(delay.longest));
    format!("{mean}, {longest} at most")
}

/// The one it has waited on for longest stands for all.
fn waits_at(object: &Tracked) -> String {
    if object.state != State::Waiting {
        return "-".to_owned();
    }
    let leaves = object.leaves.iter().filter(|leaf| !leaf.stale);
    let more = leaves.clone().count().saturating_sub(1);
    match object.leaves.first() {
        Some(leaf) if more > 0 => format!("{} (+{more})", place(leaf)),
        Some(leaf) => place(leaf),
        None if object.wakers == Some(0) => "nothing: nobody can wake it".to_owned(),
        None => "-".to_owned(),
    }
}

fn place(leaf: &Leaf) -> String {
    let at = leaf.stack.frames().first();
    let at = at.map(|frame| frame.place().unwrap_or_else(|| frame.to_string()));
    match (at, leaf.stack.called()) {
        (Some(at), Some(called)) => format!("{at} in {called}"),
        (Some(at), None) => at,
        (None, Some(called)) => called.to_owned(),
        (None, None) => "?".to_owned(),
    }
}
