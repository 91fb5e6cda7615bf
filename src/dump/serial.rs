//! A snapshot as data for other programs: what serde cannot derive.

use std::panic::Location;

use serde::ser::{Serialize, SerializeStruct, Serializer};
use tokio::task::Id;

use super::AwaitStack;
use crate::ids;

/// tokio's number of the task.
pub(super) fn task_id<S: Serializer>(id: &Option<Id>, serializer: S) -> Result<S::Ok, S::Error> {
    id.map(ids::number).serialize(serializer)
}

/// `src/main.rs:12:5`
pub(super) fn site<S: Serializer>(
    site: &&'static Location<'static>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(site)
}

impl Serialize for AwaitStack {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut stack = serializer.serialize_struct("AwaitStack", 2)?;
        stack.serialize_field("called", &self.called())?;
        stack.serialize_field("frames", self.frames())?;
        stack.end()
    }
}
