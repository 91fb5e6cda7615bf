//! Where there is no fast walk.

pub(super) fn walk(_: &mut [usize]) -> Option<usize> {
    None
}

#[cfg(any(test, fuzzing))]
pub(crate) mod damage {
    pub(crate) fn walks(_: &crate::stack::fuzzing::Damage) {}
}
