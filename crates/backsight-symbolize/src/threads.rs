//! Which threads work: those of a pool of one's own, or of rayon's current one.

use std::num::NonZeroUsize;
use std::sync::OnceLock;

use rayon::{ThreadPool, ThreadPoolBuilder};

/// The threads that share the work of large batches.
#[derive(Debug)]
pub(crate) struct Threads {
    /// `None` for rayon's current pool.
    count: Option<NonZeroUsize>,
    /// `None` if the system starts no more threads: then the current pool is used.
    pool: OnceLock<Option<ThreadPool>>,
}

impl Threads {
    pub(crate) fn new(count: Option<NonZeroUsize>) -> Self {
        Self {
            count,
            pool: OnceLock::new(),
        }
    }

    /// Returns the pool of one's own, which is started the first time.
    fn pool(&self) -> Option<&ThreadPool> {
        let count = self.count?.get();
        let start = |count| {
            let name = |at| format!("symbolize-{at}");
            let builder = ThreadPoolBuilder::new().num_threads(count);
            builder.thread_name(name).build().ok()
        };
        let pool = self.pool.get_or_init(|| start(count).or_else(|| start(1)));
        pool.as_ref()
    }

    /// Returns how many threads there are.
    pub(crate) fn count(&self) -> usize {
        let own = self.count.map(NonZeroUsize::get);
        own.unwrap_or_else(rayon::current_num_threads).max(1)
    }

    /// Does work that may be spread over several threads.
    pub(crate) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match self.pool() {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }

    /// Does work that others need not wait for: in the background, if there is more than one
    /// thread. In a pool of one, it might wait for long.
    pub(crate) fn do_later(&self, work: impl FnOnce() + Send + 'static) {
        match self.pool() {
            _ if self.count() == 1 => work(),
            Some(pool) => pool.spawn(work),
            None => rayon::spawn(work),
        }
    }
}
