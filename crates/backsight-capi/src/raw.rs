//! What callers pass by pointer: slices, texts, structures and places for results. Each is
//! checked as far as a pointer can be.

use std::ffi::{CStr, OsStr, c_char};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::ptr;

use crate::failure::{Failure, Result};
use crate::status::{BACKSIGHT_ERROR_ARGUMENT, BACKSIGHT_ERROR_NULL, BACKSIGHT_ERROR_OPTIONS};

/// More than any structure of a later version has; a `size` above is no size.
const MAX_SIZE: usize = 4096;

/// A structure whose first field is its size, as the caller's header has it.
///
/// # Safety
/// It is `repr(C)`, begins with a `usize`, and any bytes are one of its values: it has numbers,
/// pointers and optional functions alone.
pub(crate) unsafe trait SizedStruct: Copy {
    /// What it is called in messages.
    const NAME: &'static str;
}

/// Returns the failure of a null pointer.
pub(crate) fn null(what: &str) -> Failure {
    Failure::new(BACKSIGHT_ERROR_NULL, format!("{what} is null"))
}

pub(crate) fn bad_argument(message: impl Into<String>) -> Failure {
    Failure::new(BACKSIGHT_ERROR_ARGUMENT, message)
}

fn check<T>(pointer: *const T, what: &str) -> Result {
    match () {
        () if pointer.is_null() => Err(null(what)),
        () if !pointer.is_aligned() => Err(bad_argument(format!(
            "{what} is not aligned to {} bytes",
            align_of::<T>()
        ))),
        () => Ok(()),
    }
}

/// Returns the values of an array; none if `count` is 0, also where `data` is null.
///
/// # Safety
/// If `data` is not null, `count` values are there, and do not change during `'a`.
pub(crate) unsafe fn slice<'a, T>(data: *const T, count: usize, what: &str) -> Result<&'a [T]> {
    if count == 0 {
        return Ok(&[]);
    }
    check(data, what)?;
    check_count::<T>(count, what)?;
    // SAFETY: the caller says that the values are there; the rest was checked.
    Ok(unsafe { std::slice::from_raw_parts(data, count) })
}

/// Returns the places of an array for results.
///
/// # Safety
/// If `data` is not null, there is room for `count` initialized values, which nobody else uses
/// during `'a`.
pub(crate) unsafe fn places<'a, T>(
    data: *mut T,
    count: usize,
    what: &str,
) -> Result<&'a mut [MaybeUninit<T>]> {
    if count == 0 {
        return Ok(&mut []);
    }
    check(data, what)?;
    check_count::<T>(count, what)?;
    // SAFETY: the caller says that there is room; the rest was checked.
    Ok(unsafe { std::slice::from_raw_parts_mut(data.cast(), count) })
}

fn check_count<T>(count: usize, what: &str) -> Result {
    let bytes = count.checked_mul(size_of::<T>());
    match bytes.is_some_and(|bytes| isize::try_from(bytes).is_ok()) {
        true => Ok(()),
        false => Err(bad_argument(format!(
            "{what}: {count} values are more than memory has"
        ))),
    }
}

/// The caller's place for a result.
#[derive(Debug)]
pub(crate) struct OutPlace<T>(*mut T);

impl<T> OutPlace<T> {
    /// Checks a place before any work is done, and sets it to nothing, so that a failed call
    /// leaves no garbage there.
    ///
    /// # Safety
    /// If it is not null, a `T` may be written there until the call ends.
    pub(crate) unsafe fn new(place: *mut T, otherwise: T, what: &str) -> Result<Self> {
        check(place, what)?;
        let place = Self(place);
        place.put(otherwise);
        Ok(place)
    }

    pub(crate) fn put(&self, value: T) {
        // SAFETY: `new` was promised that this may be written, and has checked it.
        unsafe { self.0.write(value) }
    }
}

/// Returns the bytes of a NUL-terminated text.
///
/// # Safety
/// If it is not null, it ends with a NUL, and does not change during `'a`.
pub(crate) unsafe fn text<'a>(text: *const c_char, what: &str) -> Result<&'a [u8]> {
    check(text, what)?;
    // SAFETY: the caller says that it ends with a NUL.
    Ok(unsafe { CStr::from_ptr(text) }.to_bytes())
}

/// Returns a path, which may have any bytes but NUL.
///
/// # Safety
/// As [`text`].
pub(crate) unsafe fn path(path: *const c_char, what: &str) -> Result<PathBuf> {
    // SAFETY: the same is promised.
    let bytes = unsafe { text(path, what) }?;
    match bytes {
        [] => Err(bad_argument(format!("{what} is empty"))),
        _ => Ok(PathBuf::from(OsStr::from_bytes(bytes))),
    }
}

/// Returns a path; `None` for null.
///
/// # Safety
/// As [`text`].
pub(crate) unsafe fn optional_path(given: *const c_char, what: &str) -> Result<Option<PathBuf>> {
    if given.is_null() {
        return Ok(None);
    }
    // SAFETY: the same is promised.
    unsafe { path(given, what) }.map(Some)
}

/// Returns the paths of an array.
///
/// # Safety
/// As [`slice`] and, for each that is not null, as [`text`].
pub(crate) unsafe fn paths(
    data: *const *const c_char,
    count: usize,
    what: &str,
) -> Result<Vec<PathBuf>> {
    // SAFETY: the same is promised.
    let all = unsafe { slice(data, count, what) }?;
    let all = all.iter().map(|it| {
        // SAFETY: the same is promised of each.
        unsafe { path(*it, what) }
    });
    all.collect()
}

/// Reads a structure of the caller, whose version may be older or newer: what it does not have
/// is 0, and what this version does not have must be 0. Null is all zeros.
///
/// # Safety
/// If it is not null, it has as many bytes as its first field says.
pub(crate) unsafe fn sized<T: SizedStruct>(given: *const T) -> Result<T> {
    let mut all = MaybeUninit::<T>::zeroed();
    if !given.is_null() {
        check(given, T::NAME)?;
        // SAFETY: the caller says that it has a size at least, and it is aligned.
        let size = unsafe { given.cast::<usize>().read() };
        if !(size_of::<usize>()..=MAX_SIZE).contains(&size) {
            return Err(Failure::new(
                BACKSIGHT_ERROR_OPTIONS,
                format!(
                    "{}: its size is {size}: set it to sizeof of the structure",
                    T::NAME
                ),
            ));
        }
        // SAFETY: the caller says that this many bytes are there.
        let bytes = unsafe { std::slice::from_raw_parts(given.cast::<u8>(), size) };
        let known = bytes.len().min(size_of::<T>());
        let (known, unknown) = bytes.split_at(known);
        if unknown.iter().any(|byte| *byte != 0) {
            return Err(Failure::new(
                BACKSIGHT_ERROR_OPTIONS,
                format!(
                    "{}: it has {size} bytes and sets a field beyond the {} that this version of \
                     the library knows: use the library that its header is of, or newer",
                    T::NAME,
                    size_of::<T>()
                ),
            ));
        }
        // SAFETY: both have this many bytes, and they do not overlap: `all` is ours.
        unsafe { ptr::copy_nonoverlapping(known.as_ptr(), all.as_mut_ptr().cast(), known.len()) };
    }
    // SAFETY: any bytes are a value, as `SizedStruct` says, and all of them were set.
    Ok(unsafe { all.assume_init() })
}

/// Refuses flags that this version does not have.
pub(crate) fn check_flags(flags: u64, known: u64, what: &str) -> Result {
    match flags & !known {
        0 => Ok(()),
        unknown => Err(Failure::new(
            BACKSIGHT_ERROR_OPTIONS,
            format!("{what}: this version of the library has no flag {unknown:#x}"),
        )),
    }
}

/// Writes a structure, as far as the size that the caller has set says; its size is kept, and what
/// this version does not have becomes 0.
///
/// # Safety
/// It has as many bytes as its first field says, and they may be written.
pub(crate) unsafe fn put_sized<T: SizedStruct>(place: *mut T, value: &T) -> Result {
    check(place.cast_const(), T::NAME)?;
    // SAFETY: the caller says that it has a size at least, and it is aligned.
    let size = unsafe { place.cast::<usize>().read() };
    if !(size_of::<usize>()..=MAX_SIZE).contains(&size) {
        let message = format!(
            "{}: its size is {size}: set it to sizeof of the structure",
            T::NAME
        );
        return Err(Failure::new(BACKSIGHT_ERROR_OPTIONS, message));
    }
    let after = size_of::<usize>();
    // SAFETY: any structure of C is bytes, and these have no padding.
    let bytes =
        unsafe { std::slice::from_raw_parts(ptr::from_ref(value).cast::<u8>(), size_of::<T>()) };
    let known = bytes.get(after..).unwrap_or_default();
    // SAFETY: the caller says that this many bytes may be written.
    let places = unsafe { std::slice::from_raw_parts_mut(place.cast::<u8>(), size) };
    let places = places.get_mut(after..).unwrap_or_default();
    for (at, place) in places.iter_mut().enumerate() {
        *place = known.get(at).copied().unwrap_or(0);
    }
    Ok(())
}
