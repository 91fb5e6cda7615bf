//! A function of the user's that sees every report.

use std::sync::{Arc, PoisonError, RwLock};

use super::Report;

/// What [`set_hook`] takes.
pub type Hook = Box<dyn Fn(&Report) + Send + Sync + 'static>;

static HOOK: RwLock<Option<Arc<Hook>>> = RwLock::new(None);

/// Sends every report from here on to `hook`, in place of `tracing`. As
/// [`std::panic::set_hook`], it replaces the one before.
///
/// The hook runs on the reporter's own thread, one report at a time, outside any
/// runtime. It may take its time, call [`flush`](crate::flush), spawn on a
/// runtime's handle, and drop what it likes: what happens in it is not reported.
/// If it panics, that is said on stderr, and the report goes where it would have
/// gone without a hook.
///
/// # Examples
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
///
/// static SEEN: AtomicU64 = AtomicU64::new(0);
/// debug_async::report::set_hook(Box::new(|report| {
///     SEEN.fetch_add(1, Relaxed);
///     report.emit();
/// }));
/// # drop(debug_async::report::take_hook());
/// ```
pub fn set_hook(hook: Hook) {
    let new = Some(Arc::new(hook));
    let old = std::mem::replace(
        &mut *HOOK.write().unwrap_or_else(PoisonError::into_inner),
        new,
    );
    drop(old);
}

/// Takes the hook out; reports go to `tracing` again.
///
/// ```
/// assert!(debug_async::report::take_hook().is_none());
/// ```
pub fn take_hook() -> Option<Hook> {
    let old = HOOK
        .write()
        .unwrap_or_else(PoisonError::into_inner)
        .take()?;
    // A report may be on its way through it on the reporter's thread.
    Some(Arc::try_unwrap(old).unwrap_or_else(|shared| Box::new(move |report| shared(report))))
}

/// The hook, if there is one.
pub(super) fn get() -> Option<Arc<Hook>> {
    HOOK.read().unwrap_or_else(PoisonError::into_inner).clone()
}
