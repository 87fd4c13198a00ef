//! A value that is made once, by work that is spread over rayon's thread pool.
//!
//! A pool thread that joins parallel work steals other tasks meanwhile. A stolen task may
//! ask for the very value that this thread is making, or for one that another pool thread
//! makes while it has stolen a task of ours: waiting would deadlock. So pool threads never
//! wait here. Other threads do; they run no stolen tasks, so nothing waits for them.

use std::sync::{Mutex, OnceLock, PoisonError, TryLockError};

/// A `OnceLock` on which no thread of rayon's pool waits.
#[derive(Debug)]
pub(crate) struct RayonOnce<T> {
    value: OnceLock<T>,
    /// Locked while the value is made.
    making: Mutex<()>,
}

impl<T> Default for RayonOnce<T> {
    fn default() -> Self {
        Self {
            value: OnceLock::new(),
            making: Mutex::new(()),
        }
    }
}

impl<T> From<T> for RayonOnce<T> {
    fn from(value: T) -> Self {
        Self {
            value: OnceLock::from(value),
            making: Mutex::new(()),
        }
    }
}

impl<T> RayonOnce<T> {
    /// Returns the value, if it is made.
    #[inline]
    pub(crate) fn get(&self) -> Option<&T> {
        self.value.get()
    }

    /// Returns the value, and makes it the first time. `None` on a pool thread while the
    /// value is being made elsewhere.
    pub(crate) fn get_or_make(&self, make: impl FnOnce() -> T) -> Option<&T> {
        if let Some(value) = self.value.get() {
            return Some(value);
        }
        let _held = if rayon::current_thread_index().is_none() {
            self.making.lock().unwrap_or_else(PoisonError::into_inner)
        } else {
            match self.making.try_lock() {
                Ok(held) => held,
                Err(TryLockError::Poisoned(error)) => error.into_inner(),
                Err(TryLockError::WouldBlock) => return None,
            }
        };
        Some(self.value.get_or_init(make))
    }
}

#[cfg(test)]
mod tests {
    use super::RayonOnce;

    #[test]
    fn a_pool_thread_does_not_wait_for_itself() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1);
        let pool = pool.build().unwrap();
        let making = RayonOnce::default();
        let made = pool.install(|| {
            let make = || making.get_or_make(|| 1).is_none();
            making.get_or_make(|| u8::from(make()) + 1).copied()
        });
        assert_eq!(made, Some(2));
        assert_eq!(making.get_or_make(|| 3), Some(&2));
    }

    #[test]
    fn it_is_made_once() {
        let making = RayonOnce::default();
        let count = std::sync::atomic::AtomicUsize::new(0);
        let make = || count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| assert_eq!(making.get_or_make(make), Some(&0)));
            }
        });
        assert_eq!(count.into_inner(), 1);
    }
}
