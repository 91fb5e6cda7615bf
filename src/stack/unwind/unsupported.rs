//! Where there is no fast walk.

pub(super) fn walk(_: &mut [usize]) -> Option<usize> {
    None
}
