//! What a call returns: 0, or the number of an error.

use std::ffi::{CStr, c_char};

/// What a call returns: `BACKSIGHT_OK`, or why it failed. Numbers are added and never change.
pub type backsight_status = i32;

/// Done.
pub const BACKSIGHT_OK: backsight_status = 0;
/// A pointer that must not be null is null.
pub const BACKSIGHT_ERROR_NULL: backsight_status = 1;
/// Not a handle, one of another kind, or one that was freed.
pub const BACKSIGHT_ERROR_HANDLE: backsight_status = 2;
/// The handle was made before this process was forked. Make another one here.
pub const BACKSIGHT_ERROR_FORKED: backsight_status = 3;
/// A structure has a `size` that is too small, or sets a field or flag that this version of
/// the library does not have.
pub const BACKSIGHT_ERROR_OPTIONS: backsight_status = 4;
/// An argument has a value that it cannot have.
pub const BACKSIGHT_ERROR_ARGUMENT: backsight_status = 5;
/// Another call is writing these answers.
pub const BACKSIGHT_ERROR_BUSY: backsight_status = 6;
/// The call was made from inside a callback.
pub const BACKSIGHT_ERROR_IN_CALLBACK: backsight_status = 7;
/// There is no such process, or it is hidden from this user.
pub const BACKSIGHT_ERROR_NO_SUCH_PROCESS: backsight_status = 8;
/// The process has ended, or runs another program now.
pub const BACKSIGHT_ERROR_PROCESS_GONE: backsight_status = 9;
/// This user may not do that.
pub const BACKSIGHT_ERROR_DENIED: backsight_status = 10;
/// The kernel, or this build, cannot do that.
pub const BACKSIGHT_ERROR_UNSUPPORTED: backsight_status = 11;
/// A system call failed: see `backsight_last_errno`.
pub const BACKSIGHT_ERROR_IO: backsight_status = 12;
/// A file or text is damaged, or not of the format that it should have.
pub const BACKSIGHT_ERROR_MALFORMED: backsight_status = 13;
/// The format of a profile is not recognized, or does not exist.
pub const BACKSIGHT_ERROR_FORMAT: backsight_status = 14;
/// A limit on memory was reached.
pub const BACKSIGHT_ERROR_LIMIT: backsight_status = 15;
/// The library has a bug, which was caught. The handles of the call can only be freed.
pub const BACKSIGHT_ERROR_PANIC: backsight_status = 16;
/// There is no such module or event.
pub const BACKSIGHT_ERROR_NOT_FOUND: backsight_status = 17;

/// Every number with its name.
const STATUSES: &[(backsight_status, &CStr)] = &[
    (BACKSIGHT_OK, c"ok"),
    (BACKSIGHT_ERROR_NULL, c"null"),
    (BACKSIGHT_ERROR_HANDLE, c"handle"),
    (BACKSIGHT_ERROR_FORKED, c"forked"),
    (BACKSIGHT_ERROR_OPTIONS, c"options"),
    (BACKSIGHT_ERROR_ARGUMENT, c"argument"),
    (BACKSIGHT_ERROR_BUSY, c"busy"),
    (BACKSIGHT_ERROR_IN_CALLBACK, c"in-callback"),
    (BACKSIGHT_ERROR_NO_SUCH_PROCESS, c"no-such-process"),
    (BACKSIGHT_ERROR_PROCESS_GONE, c"process-gone"),
    (BACKSIGHT_ERROR_DENIED, c"denied"),
    (BACKSIGHT_ERROR_UNSUPPORTED, c"unsupported"),
    (BACKSIGHT_ERROR_IO, c"io"),
    (BACKSIGHT_ERROR_MALFORMED, c"malformed"),
    (BACKSIGHT_ERROR_FORMAT, c"format"),
    (BACKSIGHT_ERROR_LIMIT, c"limit"),
    (BACKSIGHT_ERROR_PANIC, c"panic"),
    (BACKSIGHT_ERROR_NOT_FOUND, c"not-found"),
];

/// Returns the name of a status, such as `"denied"`; `"unknown"` for other numbers. The text is
/// always there.
#[unsafe(no_mangle)]
pub extern "C" fn backsight_status_name(status: backsight_status) -> *const c_char {
    let known = STATUSES.iter().find(|(number, _)| *number == status);
    known.map_or(c"unknown", |(_, name)| name).as_ptr()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::STATUSES;

    #[test]
    fn numbers_and_names_are_each_of_one_status() {
        let numbers: HashSet<_> = STATUSES.iter().map(|(number, _)| number).collect();
        let names: HashSet<_> = STATUSES.iter().map(|(_, name)| name).collect();
        assert_eq!(numbers.len(), STATUSES.len());
        assert_eq!(names.len(), STATUSES.len());
        // Without gaps: a number that was given away is not given up.
        assert!((0..).zip(STATUSES).all(|(at, (number, _))| at == *number));
    }
}
