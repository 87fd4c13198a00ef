//! Why a call failed, as an exception. No panic leaves a call.

use std::any::Any;
use std::cell::Cell;
use std::error::Error;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};

use backsight::errno_in;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

const EACCES: i32 = 13;
const ESRCH: i32 = 3;

/// The kinds of failures: the names that `backsight_status_name` of the C library returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureKind {
    Closed,
    Forked,
    Options,
    Argument,
    InCallback,
    NoSuchProcess,
    ProcessGone,
    Denied,
    Unsupported,
    Io,
    Malformed,
    Format,
    Limit,
    Panic,
    NotFound,
}

impl FailureKind {
    const fn name(self) -> &'static str {
        match self {
            Self::Closed => "handle",
            Self::Forked => "forked",
            Self::Options => "options",
            Self::Argument => "argument",
            Self::InCallback => "in-callback",
            Self::NoSuchProcess => "no-such-process",
            Self::ProcessGone => "process-gone",
            Self::Denied => "denied",
            Self::Unsupported => "unsupported",
            Self::Io => "io",
            Self::Malformed => "malformed",
            Self::Format => "format",
            Self::Limit => "limit",
            Self::Panic => "panic",
            Self::NotFound => "not-found",
        }
    }
}

/// Why a call failed.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: FailureKind,
    errno: Option<i32>,
    message: String,
}

pub(crate) type Result<T = (), E = Failure> = std::result::Result<T, E>;

impl Failure {
    pub(crate) fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            errno: None,
            message: message.into(),
        }
    }

    pub(crate) fn bad_argument(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Argument, message)
    }

    /// A failure of which an error tells; its kind follows from the errno among its causes.
    pub(crate) fn of(what: impl Display, error: &(dyn Error + 'static)) -> Self {
        let errno = errno_in(error);
        let kind = match errno {
            None => FailureKind::Malformed,
            Some(1 | EACCES) => FailureKind::Denied,
            Some(_) => FailureKind::Io,
        };
        Self {
            kind,
            errno,
            message: format!("{what}: {error}"),
        }
    }

    /// A failed query of a process's memory map.
    pub(crate) fn of_process(pid: u32, error: &vma_query::Error) -> Self {
        let (kind, otherwise) = match error {
            vma_query::Error::NoSuchProcess => (FailureKind::NoSuchProcess, Some(ESRCH)),
            vma_query::Error::ProcessGone => (FailureKind::ProcessGone, Some(ESRCH)),
            vma_query::Error::Denied(_) => (FailureKind::Denied, Some(EACCES)),
            vma_query::Error::Unsupported => (FailureKind::Unsupported, None),
            vma_query::Error::Io(_) => (FailureKind::Io, None),
            _ => (FailureKind::Malformed, None),
        };
        Self {
            kind,
            errno: errno_in(error).or(otherwise),
            message: format!("process {pid}: {error}"),
        }
    }

    /// As [`of`](Self::of), with the cause of the error, which it does not lead to.
    pub(crate) fn of_cause(
        what: impl Display,
        error: &(dyn Error + 'static),
        cause: &(dyn Error + 'static),
    ) -> Self {
        Self {
            message: format!("{what}: {error}"),
            ..Self::of("", cause)
        }
    }

    pub(crate) fn with_kind(self, kind: FailureKind) -> Self {
        Self { kind, ..self }
    }
}

impl From<Failure> for PyErr {
    fn from(failure: Failure) -> Self {
        static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let Failure {
            kind,
            errno,
            message,
        } = failure;
        Python::attach(|py| {
            let made = MAKE
                .import(py, "backsight._errors", "error_of")
                .and_then(|make| make.call1((kind.name(), errno, message)));
            made.map_or_else(|error| error, PyErr::from_value)
        })
    }
}

thread_local! {
    static IN_CALLBACK: Cell<bool> = const { Cell::new(false) };
}

/// Runs work without Python's lock. What panics in it is a failure.
pub(crate) fn work<T: Send>(py: Python<'_>, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    if IN_CALLBACK.get() {
        return Err(Failure::new(
            FailureKind::InCallback,
            "called from inside a callback, which waits for what it would ask: return first",
        ));
    }
    py.detach(|| caught(work))
}

/// Runs what may panic.
pub(crate) fn caught<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    // What was locked when a panic came is refused from then on.
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => done,
        Err(panic) => {
            let said = text_of(&*panic).to_owned();
            // What a panic carries may panic when it is dropped.
            std::mem::forget(panic);
            let message = format!("a bug in backsight, please report it: {said}");
            Err(Failure::new(FailureKind::Panic, message))
        }
    }
}

/// Runs a callback, during which this thread makes no other calls.
pub(crate) fn in_callback<T>(call: impl FnOnce() -> T) -> T {
    struct Left(bool);
    impl Drop for Left {
        fn drop(&mut self) {
            IN_CALLBACK.set(self.0);
        }
    }
    let _left = Left(IN_CALLBACK.replace(true));
    call()
}

fn text_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a message")
}
