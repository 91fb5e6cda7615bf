//! The tree: who spawned whom, who awaits whom, and the leaves.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::time::Duration;

use super::ps;
use super::snapshot::{Kind, Leaf, Snapshot, State, Tracked};
use crate::clock;

/// A [`Snapshot`] as a tree: see [`Snapshot::tree`].
#[derive(Clone, Copy)]
pub struct Tree<'a> {
    of: &'a Snapshot,
    /// So many objects are shown at most.
    most: usize,
}

impl Snapshot {
    /// The same as a tree, to be printed: under each object what it spawned, the
    /// futures that it awaits, and the awaits down to each leaf. What has waited for
    /// longest comes first.
    ///
    /// A leaf is shown once, with the innermost of the tracked futures that wait on it.
    pub fn tree(&self) -> Tree<'_> {
        Tree {
            of: self,
            most: usize::MAX,
        }
    }
}

impl Tree<'_> {
    /// No more than so many objects of it.
    pub(super) fn first(self, most: usize) -> Self {
        Tree { most, ..self }
    }
}

impl fmt::Debug for Tree<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tree").field(self.of).finish()
    }
}

/// Deeper than this it goes on without more indentation.
const DEEPEST: usize = 32;

impl fmt::Display for Tree<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let objects = &self.of.objects;
        if objects.is_empty() {
            return self.of.fmt(f);
        }
        let (roots, children) = family(objects);
        // What is in a circle (futures that changed places) hangs on no root.
        let all = 0..objects.len();
        let mut shown = HashSet::new();
        let mut first = true;
        for root in roots.into_iter().chain(all) {
            let mut next = vec![(root, 0)];
            while let Some((index, depth)) = next.pop() {
                if shown.contains(&index) {
                    continue;
                }
                if shown.len() == self.most {
                    let more = objects.len() - self.most;
                    write!(f, "\nand {more} more, which `debug_async::dump()` gives")?;
                    return ps::untracked(self.of.untracked, f);
                }
                shown.insert(index);
                if !std::mem::take(&mut first) {
                    f.write_str("\n")?;
                }
                let under = children.get(&index).map_or(&[][..], Vec::as_slice);
                let below = under.iter().map(|child| &objects[*child]);
                object(&objects[index], below, depth.min(DEEPEST), f)?;
                next.extend(under.iter().rev().map(|child| (*child, depth + 1)));
            }
        }
        ps::untracked(self.of.untracked, f)
    }
}

/// The objects that hang on none, and those that hang on each.
fn family(objects: &[Tracked]) -> (Vec<usize>, HashMap<usize, Vec<usize>>) {
    let indices: HashMap<u64, usize> = objects
        .iter()
        .enumerate()
        .map(|(index, object)| (object.id, index))
        .collect();
    let mut roots = Vec::new();
    let mut children: HashMap<usize, Vec<usize>> = HashMap::new();
    for (index, object) in objects.iter().enumerate() {
        match parent(object).and_then(|parent| indices.get(&parent)) {
            Some(parent) => children.entry(*parent).or_default().push(index),
            None => roots.push(index),
        }
    }
    let longest_first = |indices: &mut Vec<usize>| {
        indices.sort_by_key(|index| Reverse(objects[*index].waiting()));
    };
    longest_first(&mut roots);
    children.values_mut().for_each(longest_first);
    (roots, children)
}

/// A future hangs on what polls it, all else on what spawned it.
fn parent(object: &Tracked) -> Option<u64> {
    match object.kind {
        Kind::PlainFuture | Kind::PlainStream | Kind::Io if object.polls > 0 => object.polled_in,
        _ => object.created_in,
    }
}

fn object<'a>(
    object: &Tracked,
    below: impl Iterator<Item = &'a Tracked>,
    depth: usize,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    let indent = "  ".repeat(depth);
    let Tracked {
        id,
        kind,
        name,
        state,
        polls,
        site,
        ..
    } = object;
    let waits = object
        .waiting()
        .map(|waiting| format!(" {}", clock::human(waiting)));
    let waits = waits.unwrap_or_default();
    write!(f, "{indent}#{id} {kind} `{name}` ({state}{waits}")?;
    if *polls > 0 {
        write!(f, ", polls {polls}")?;
    }
    if let Some(through) = object.through() {
        write!(f, ", {through}")?;
    }
    write!(f, "), {} {site}", kind.born())?;
    if *state != State::Waiting {
        return Ok(());
    }
    if object.wakers == Some(0) {
        return write!(f, "\n{indent}  waits for nothing: nobody can wake it");
    }
    let inner: HashSet<_> = below
        .filter(|child| matches!(child.kind, Kind::PlainFuture | Kind::PlainStream))
        .flat_map(|child| &child.leaves)
        .map(|leaf| leaf.key)
        .collect();
    for leaf in object
        .leaves
        .iter()
        .filter(|leaf| !inner.contains(&leaf.key))
    {
        write_leaf(leaf, &indent, f)?;
    }
    Ok(())
}

fn write_leaf(leaf: &Leaf, indent: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let waiting: Duration = leaf.waiting;
    write!(f, "\n{indent}  waits {}", clock::human(waiting))?;
    if let Some(called) = leaf.stack.called() {
        write!(f, " in {called}")?;
    }
    if leaf.stale {
        f.write_str(" (not since its last poll)")?;
    }
    for frame in leaf.stack.frames() {
        write!(f, "\n{indent}    at {frame}")?;
    }
    Ok(())
}
