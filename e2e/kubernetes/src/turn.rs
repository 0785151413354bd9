//! Tests beside each other, and tests that want the operator for themselves.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

static OPERATOR: RwLock<()> = RwLock::new(());

/// Held while a test needs the operator to be as it is.
pub fn together() -> RwLockReadGuard<'static, ()> {
    OPERATOR.read().unwrap_or_else(PoisonError::into_inner)
}

/// Held while a test stops, kills or replaces the operator.
pub fn alone() -> RwLockWriteGuard<'static, ()> {
    OPERATOR.write().unwrap_or_else(PoisonError::into_inner)
}
