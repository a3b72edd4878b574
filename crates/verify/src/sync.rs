//! The primitives of the cache: those of `parking_lot`, or loom's where the model runs.

#[cfg(feature = "loom")]
pub(crate) use loom::sync::{Arc, atomic::AtomicBool};
#[cfg(not(feature = "loom"))]
pub(crate) use std::sync::{Arc, atomic::AtomicBool};

#[cfg(not(feature = "loom"))]
pub(crate) use parking_lot::{Mutex, MutexGuard};

#[cfg(feature = "loom")]
pub(crate) use self::model::{Mutex, MutexGuard};

#[cfg(feature = "loom")]
mod model {
    pub(crate) use loom::sync::MutexGuard;

    /// loom's mutex with the `lock` of `parking_lot`.
    #[derive(Default)]
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().expect("not poisoned")
        }
    }
}
