//! Which scope belongs to which runtime.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock, Weak};

use tokio::runtime::{Handle, Id};

use super::Scope;

static RUNTIMES: LazyLock<RwLock<HashMap<Id, Weak<Scope>>>> = LazyLock::new(RwLock::default);

/// The scope of the runtime of this handle: the process's, if it is not ours.
pub(crate) fn scope_of(handle: &Handle) -> Arc<Scope> {
    let runtimes = RUNTIMES.read().unwrap_or_else(PoisonError::into_inner);
    let known = runtimes.get(&handle.id()).and_then(Weak::upgrade);
    drop(runtimes);
    known.unwrap_or_else(|| Arc::clone(Scope::process()))
}

/// A runtime of ours begins.
pub(crate) fn began(handle: &Handle, scope: &Arc<Scope>) {
    let mut runtimes = RUNTIMES.write().unwrap_or_else(PoisonError::into_inner);
    runtimes.insert(handle.id(), Arc::downgrade(scope));
}

/// It has ended.
pub(crate) fn ended(id: Id) {
    RUNTIMES
        .write()
        .unwrap_or_else(PoisonError::into_inner)
        .remove(&id);
}
