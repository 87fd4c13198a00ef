//! Why a call failed, and how each call ends: no panic leaves the library.

use std::any::Any;
use std::cell::RefCell;
use std::error::Error;
use std::ffi::{CString, c_char, c_int};
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use backsight::errno_in;

use crate::status::{
    BACKSIGHT_ERROR_DENIED, BACKSIGHT_ERROR_IN_CALLBACK, BACKSIGHT_ERROR_IO,
    BACKSIGHT_ERROR_MALFORMED, BACKSIGHT_ERROR_NO_SUCH_PROCESS, BACKSIGHT_ERROR_PANIC,
    BACKSIGHT_ERROR_PROCESS_GONE, BACKSIGHT_ERROR_UNSUPPORTED, BACKSIGHT_OK, backsight_status,
};

const EACCES: c_int = 13;
const ESRCH: c_int = 3;

/// Why a call failed.
#[derive(Debug)]
pub(crate) struct Failure {
    status: backsight_status,
    /// 0 if no system call failed.
    errno: c_int,
    message: String,
}

pub(crate) type Result<T = (), E = Failure> = std::result::Result<T, E>;

impl Failure {
    pub(crate) fn new(status: backsight_status, message: impl Into<String>) -> Self {
        Self {
            status,
            errno: 0,
            message: message.into(),
        }
    }

    /// A failure of which an error tells; its status follows from the errno among its causes.
    pub(crate) fn of(what: impl Display, error: &(dyn Error + 'static)) -> Self {
        let errno = errno_in(error).unwrap_or(0);
        let status = match errno {
            0 => BACKSIGHT_ERROR_MALFORMED,
            1 | EACCES => BACKSIGHT_ERROR_DENIED,
            _ => BACKSIGHT_ERROR_IO,
        };
        Self {
            status,
            errno,
            message: format!("{what}: {error}"),
        }
    }

    /// A failed query of a process's memory map.
    pub(crate) fn of_process(pid: u32, error: &vma_query::Error) -> Self {
        let (status, otherwise) = match error {
            vma_query::Error::NoSuchProcess => (BACKSIGHT_ERROR_NO_SUCH_PROCESS, ESRCH),
            vma_query::Error::ProcessGone => (BACKSIGHT_ERROR_PROCESS_GONE, ESRCH),
            vma_query::Error::Denied(_) => (BACKSIGHT_ERROR_DENIED, EACCES),
            vma_query::Error::Unsupported => (BACKSIGHT_ERROR_UNSUPPORTED, 0),
            vma_query::Error::Io(_) => (BACKSIGHT_ERROR_IO, 0),
            _ => (BACKSIGHT_ERROR_MALFORMED, 0),
        };
        Self {
            status,
            errno: errno_in(error).unwrap_or(otherwise),
            message: format!("process {pid}: {error}"),
        }
    }

    pub(crate) fn with_status(self, status: backsight_status) -> Self {
        Self { status, ..self }
    }
}

#[derive(Debug, Default)]
struct LastFailure {
    status: backsight_status,
    errno: c_int,
    message: CString,
}

thread_local! {
    static LAST: RefCell<LastFailure> = RefCell::default();
    static IN_CALLBACK: RefCell<u32> = const { RefCell::new(0) };
}

/// Ends a call: what failed is this thread's last error. A panic is one, too.
pub(crate) fn ended(call: impl FnOnce() -> Result) -> backsight_status {
    match value_or(call) {
        Ok(()) => BACKSIGHT_OK,
        Err(status) => status,
    }
}

/// As [`ended`], for calls that return something else.
pub(crate) fn value_or<T>(call: impl FnOnce() -> Result<T>) -> Result<T, backsight_status> {
    let checked = || match is_in_callback() {
        true => Err(Failure::new(
            BACKSIGHT_ERROR_IN_CALLBACK,
            "called from inside a callback, which waits for what it would ask: return first",
        )),
        false => call(),
    };
    // Handles that were locked when a panic came are refused from then on.
    let failure = match catch_unwind(AssertUnwindSafe(checked)) {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(failure)) => failure,
        Err(panic) => {
            let said = text_of(&*panic).to_owned();
            // What a panic carries may panic when it is dropped.
            std::mem::forget(panic);
            Failure::new(
                BACKSIGHT_ERROR_PANIC,
                format!("a bug in backsight, please report it: {said}"),
            )
        }
    };
    let status = failure.status;
    // While a thread ends there is no last error any more.
    let _ = LAST.try_with(|last| {
        let message = failure.message.replace('\0', "\\0");
        *last.borrow_mut() = LastFailure {
            status,
            errno: failure.errno,
            message: CString::new(message).unwrap_or_default(),
        };
    });
    Err(status)
}

fn text_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a message")
}

/// Runs a callback, during which this thread makes no other calls.
pub(crate) fn in_callback<T>(call: impl FnOnce() -> T) -> T {
    struct Left;
    impl Drop for Left {
        fn drop(&mut self) {
            let _ = IN_CALLBACK.try_with(|depth| *depth.borrow_mut() -= 1);
        }
    }
    let _ = IN_CALLBACK.try_with(|depth| *depth.borrow_mut() += 1);
    let _left = Left;
    call()
}

fn is_in_callback() -> bool {
    IN_CALLBACK.try_with(|depth| *depth.borrow() > 0) == Ok(true)
}

/// Returns what the last failed call of this thread says: the file or process, the cause and,
/// where there is one, the way out. `""` if none failed. The text is there until the next
/// failed call of this thread. A call that succeeds does not change it.
#[unsafe(no_mangle)]
pub extern "C" fn backsight_last_error() -> *const c_char {
    let text = LAST.try_with(|last| last.borrow().message.as_ptr());
    text.unwrap_or(c"".as_ptr())
}

/// Returns the status of the last failed call of this thread; `BACKSIGHT_OK` if none failed.
#[unsafe(no_mangle)]
pub extern "C" fn backsight_last_status() -> backsight_status {
    LAST.try_with(|last| last.borrow().status)
        .unwrap_or(BACKSIGHT_OK)
}

/// Returns the `errno` of the system call that made the last failed call of this thread fail; 0
/// if none did.
#[unsafe(no_mangle)]
pub extern "C" fn backsight_last_errno() -> c_int {
    LAST.try_with(|last| last.borrow().errno).unwrap_or(0)
}

/// A pointer that says that there is nothing.
pub(crate) fn nothing<T>(_: backsight_status) -> *const T {
    ptr::null()
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;
    use std::io;

    use super::{
        BACKSIGHT_ERROR_IO, BACKSIGHT_ERROR_PANIC, EACCES, Failure, backsight_last_errno,
        backsight_last_error, ended, in_callback,
    };
    use crate::status::{BACKSIGHT_ERROR_DENIED, BACKSIGHT_ERROR_IN_CALLBACK, BACKSIGHT_OK};

    fn last() -> String {
        // SAFETY: the text is there until the next failed call.
        let text = unsafe { CStr::from_ptr(backsight_last_error()) };
        text.to_str().unwrap().to_owned()
    }

    #[test]
    fn a_panic_is_a_status() {
        assert_eq!(last(), "");
        let status = ended(|| panic!("of this \0 test"));
        assert_eq!(status, BACKSIGHT_ERROR_PANIC);
        let said = "a bug in backsight, please report it: of this \\0 test";
        assert_eq!(last(), said);
        assert_eq!(ended(|| Ok(())), BACKSIGHT_OK);
        assert_eq!(last(), said);
        std::thread::spawn(|| assert_eq!(last(), ""))
            .join()
            .unwrap();
    }

    #[test]
    fn the_errno_is_found_among_the_causes() {
        let of = |errno| ended(|| Err(Failure::of("x", &io::Error::from_raw_os_error(errno))));
        assert_eq!(of(EACCES), BACKSIGHT_ERROR_DENIED);
        assert_eq!(backsight_last_errno(), EACCES);
        assert_eq!(of(24), BACKSIGHT_ERROR_IO);
        assert_eq!(backsight_last_errno(), 24);
    }

    #[test]
    fn a_callback_cannot_call() {
        let inside = in_callback(|| ended(|| Ok(())));
        assert_eq!(inside, BACKSIGHT_ERROR_IN_CALLBACK);
        assert_eq!(ended(|| Ok(())), BACKSIGHT_OK);
    }
}
