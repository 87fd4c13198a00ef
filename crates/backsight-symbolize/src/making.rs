//! A value that is made once, by work that rayon's threads share.
//!
//! A thread of rayon's that waits for its share of the work to be done takes other work
//! up, and that may ask for the very value which it is just making: it must not wait for
//! it then. Nor may it wait for one that another thread makes, which may have taken up
//! work that waits for one of ours. So rayon's threads never wait here, and whoever else
//! waits is never waited for.

use std::sync::{Mutex, OnceLock, PoisonError, TryLockError};

/// A value that is made once.
#[derive(Debug)]
pub(crate) struct Making<T> {
    value: OnceLock<T>,
    /// Held while it is made.
    making: Mutex<()>,
}

impl<T> Default for Making<T> {
    fn default() -> Self {
        Self {
            value: OnceLock::new(),
            making: Mutex::new(()),
        }
    }
}

impl<T> From<T> for Making<T> {
    fn from(value: T) -> Self {
        Self {
            value: OnceLock::from(value),
            making: Mutex::new(()),
        }
    }
}

impl<T> Making<T> {
    /// Returns the value, if it is made.
    #[inline]
    pub(crate) fn get(&self) -> Option<&T> {
        self.value.get()
    }

    /// Returns the value, which `make` makes the first time. `None` when it is being made,
    /// and this is a thread that must not wait.
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
    use super::Making;

    #[test]
    fn who_asks_for_what_he_makes_is_told_so() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1);
        let pool = pool.build().unwrap();
        let making = Making::default();
        let made = pool.install(|| {
            let make = || making.get_or_make(|| 1).is_none();
            making.get_or_make(|| u8::from(make()) + 1).copied()
        });
        assert_eq!(made, Some(2));
        assert_eq!(making.get_or_make(|| 3), Some(&2));
    }

    #[test]
    fn it_is_made_once() {
        let making = Making::default();
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
