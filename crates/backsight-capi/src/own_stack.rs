//! The stack of the calling thread.

use std::ffi::{c_int, c_void};

use backsight_types::{AbsAddr, Lookup};

use crate::answers::{AnswersObject, backsight_answers};
use crate::failure::{Result, ended};
use crate::handles;
use crate::process::{self, ProcessObject, backsight_process};
use crate::raw::{self, OutPlace, bad_argument};
use crate::status::backsight_status;

/// The deepest stack that is taken.
const MAX_FRAMES: usize = 4096;

// The unwinder that throws the exceptions of C++, and is linked into every program of Rust.
unsafe extern "C" {
    fn _Unwind_Backtrace(
        visit: extern "C" fn(*mut c_void, *mut c_void) -> c_int,
        data: *mut c_void,
    ) -> c_int;
    fn _Unwind_GetIPInfo(context: *mut c_void, is_exact: *mut c_int) -> usize;
    fn _Unwind_FindEnclosingFunction(address: *mut c_void) -> *mut c_void;
}

/// Go on with the caller's frame.
const GO_ON: c_int = 0;
/// Stop: there is an end to what is taken.
const STOP: c_int = 4;

/// A stack that is being taken.
struct Taken<'f> {
    frames: &'f mut [(AbsAddr, Lookup)],
    count: usize,
}

extern "C" fn visit(context: *mut c_void, data: *mut c_void) -> c_int {
    // SAFETY: `take` passes this, and waits for the unwinder.
    let taken = unsafe { &mut *data.cast::<Taken<'_>>() };
    let mut is_exact = 0;
    // SAFETY: the unwinder passes its own context.
    let address = unsafe { _Unwind_GetIPInfo(context, &raw mut is_exact) };
    let Some(place) = taken.frames.get_mut(taken.count) else {
        return STOP;
    };
    if address == 0 {
        return STOP;
    }
    let address = AbsAddr(u64::try_from(address).unwrap_or(u64::MAX));
    // The code that a signal interrupted is at an instruction, not behind a call.
    *place = match is_exact {
        0 => (address, Lookup::Return),
        _ => (address, Lookup::Exact),
    };
    taken.count += 1;
    GO_ON
}

/// Takes the frames of the calling thread, innermost first, without those of `entry`, which is
/// the function of this library that was called, and of those that it called. Allocates nothing.
fn take(frames: &mut [(AbsAddr, Lookup)], entry: usize) -> usize {
    let mut taken = Taken { frames, count: 0 };
    // SAFETY: `visit` is given what it expects, during the call alone.
    unsafe { _Unwind_Backtrace(visit, (&raw mut taken).cast()) };
    let Taken { frames, count } = taken;
    let all = frames.get_mut(..count).unwrap_or_default();
    let own = all.iter().position(|(address, _)| {
        let before = usize::try_from(address.0).unwrap_or(0).saturating_sub(1);
        let address = std::ptr::without_provenance_mut(before);
        // SAFETY: any address may be asked for; what is no code has none.
        let function = unsafe { _Unwind_FindEnclosingFunction(address) };
        function.addr() == entry
    });
    let own = own.map_or(0, |at| at + 1);
    all.copy_within(own.., 0);
    count - own
}

/// Sets `addresses` to the return addresses of the calling thread's stack, innermost first: the
/// first is in the caller of this function. `*count` is set to their number, at most `max`.
/// Allocates nothing, and takes no lock of this library.
///
/// All are for `BACKSIGHT_ADDRESSES_RETURN`: where a signal interrupted a function, it is the
/// address of the instruction and 1.
#[unsafe(no_mangle)]
#[inline(never)]
pub unsafe extern "C" fn backsight_self_addresses(
    addresses: *mut u64,
    max: usize,
    count: *mut usize,
) -> backsight_status {
    let mut frames = [(AbsAddr(0), Lookup::Exact); 512];
    let function: unsafe extern "C" fn(*mut u64, usize, *mut usize) -> backsight_status =
        backsight_self_addresses;
    let found = take(&mut frames, function as usize);
    ended(|| {
        // SAFETY: the caller may have it written.
        let total = unsafe { OutPlace::new(count, 0, "count") }?;
        // SAFETY: the caller says that there is room.
        let places = unsafe { raw::places(addresses, max, "addresses") }?;
        let found = frames.get(..found).unwrap_or_default();
        let mut written = 0;
        for (place, (address, lookup)) in places.iter_mut().zip(found) {
            place.write(match lookup {
                Lookup::Exact => address.0.saturating_add(1),
                Lookup::Return => address.0,
            });
            written += 1;
        }
        total.put(written);
        Ok(())
    })
}

/// Fills `answers` with the stack of the calling thread, innermost first: the first answer is of
/// the caller of this function, unless `skip` leaves that and more out. `process` is from
/// `backsight_self_open`. Libraries that were loaded meanwhile are found.
#[unsafe(no_mangle)]
#[inline(never)]
pub unsafe extern "C" fn backsight_self_stack(
    process: *mut backsight_process,
    skip: usize,
    answers: *mut backsight_answers,
) -> backsight_status {
    let function: unsafe extern "C" fn(
        *mut backsight_process,
        usize,
        *mut backsight_answers,
    ) -> backsight_status = backsight_self_stack;
    ended(|| {
        let process = handles::get::<ProcessObject>(process)?;
        let answers = handles::get::<AnswersObject>(answers)?;
        check_self(&process)?;
        let mut frames = vec![(AbsAddr(0), Lookup::Exact); MAX_FRAMES];
        let found = take(&mut frames, function as usize);
        frames.truncate(found);
        frames.drain(..skip.min(found));
        process::symbolize(&process, &answers, frames)
    })
}

fn check_self(process: &ProcessObject) -> Result {
    match process.is_self {
        true => Ok(()),
        false => Err(bad_argument(
            "the stack of the calling thread is in this process: open it by backsight_self_open",
        )),
    }
}
