//! Handles: numbers in the form of pointers, which lead to objects of one kind or to nothing.
//!
//! What a caller passes is looked up and never followed, so that a handle that was freed, of
//! another kind or made up is refused. A handle is also refused in a forked child: threads that
//! the object needs are not there, and locks may be held for ever.

use std::any::Any;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::failure::{Failure, Result};
use crate::raw::null;
use crate::status::{
    BACKSIGHT_ERROR_BUSY, BACKSIGHT_ERROR_FORKED, BACKSIGHT_ERROR_HANDLE, BACKSIGHT_ERROR_LIMIT,
    BACKSIGHT_ERROR_PANIC,
};

/// An object that handles lead to.
pub(crate) trait Object: Any + Send + Sync {
    /// The type that the header has for its handles.
    type Handle;
    /// What it is, in messages: "a session".
    const NAME: &'static str;
}

/// The bits of a handle, from below: its place, how often the place was used before, how often
/// the process was forked before, and one bit that no address of a program has, so that a handle
/// that is taken for a pointer is found at once.
const BITS: u32 = usize::BITS;
const PLACE_BITS: u32 = BITS / 2;
const EPOCH_BITS: u32 = BITS / 8 - 1;
const USE_BITS: u32 = BITS - PLACE_BITS - EPOCH_BITS - 1;

/// What a handle says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Number {
    epoch: usize,
    uses: usize,
    place: usize,
}

const fn below(bits: u32) -> usize {
    (1 << bits) - 1
}

impl Number {
    const fn handle(self) -> usize {
        let uses = self.uses << PLACE_BITS;
        let epoch = (self.epoch & below(EPOCH_BITS)) << (PLACE_BITS + USE_BITS);
        (1 << (BITS - 1)) | epoch | uses | self.place
    }

    fn of(handle: usize) -> Option<Self> {
        let number = Self {
            epoch: (handle >> (PLACE_BITS + USE_BITS)) & below(EPOCH_BITS),
            uses: (handle >> PLACE_BITS) & below(USE_BITS),
            place: handle & below(PLACE_BITS),
        };
        (number.handle() == handle).then_some(number)
    }
}

type Held = (Arc<dyn Any + Send + Sync>, &'static str);

#[derive(Default)]
struct Slot {
    uses: usize,
    held: Option<Held>,
}

#[derive(Default)]
struct Slots {
    all: Vec<Slot>,
    free: Vec<usize>,
}

/// The objects of one process.
struct Table {
    pid: u32,
    /// How many tables there were before.
    epoch: usize,
    /// The table of the process that this one was forked from: what it holds is kept and not
    /// used, since its locks may be held by threads that are not here.
    _previous: *mut Table,
    slots: RwLock<Slots>,
}

static TABLE: AtomicPtr<Table> = AtomicPtr::new(ptr::null_mut());

fn table() -> &'static Table {
    let pid = std::process::id();
    loop {
        let now = TABLE.load(Ordering::Acquire);
        // SAFETY: it is null, or from `Box::into_raw` below and never freed.
        let known = unsafe { now.as_ref() };
        if let Some(known) = known.filter(|it| it.pid == pid) {
            return known;
        }
        let new = Box::into_raw(Box::new(Table {
            pid,
            epoch: known.map_or(0, |it| it.epoch + 1),
            _previous: now,
            slots: RwLock::default(),
        }));
        let swapped = TABLE.compare_exchange(now, new, Ordering::AcqRel, Ordering::Acquire);
        if swapped.is_err() {
            // SAFETY: another thread was first, so nobody has this one.
            drop(unsafe { Box::from_raw(new) });
        }
    }
}

/// Makes an object known, and returns its handle.
pub(crate) fn add<O: Object>(object: O) -> Result<*mut O::Handle> {
    let table = table();
    let mut slots = table.slots.write().unwrap_or_else(PoisonError::into_inner);
    let place = match slots.free.pop() {
        Some(place) => place,
        None if slots.all.len() <= below(PLACE_BITS) => {
            slots.all.push(Slot::default());
            slots.all.len() - 1
        }
        None => {
            let message = "too many handles: free those that are not used any more";
            return Err(Failure::new(BACKSIGHT_ERROR_LIMIT, message));
        }
    };
    let slot = slots.all.get_mut(place);
    let slot = slot.ok_or_else(|| Failure::new(BACKSIGHT_ERROR_LIMIT, "no room for handles"))?;
    slot.held = Some((Arc::new(object), O::NAME));
    let number = Number {
        epoch: table.epoch,
        uses: slot.uses,
        place,
    };
    Ok(ptr::without_provenance_mut(number.handle()))
}

/// Returns the object of a handle.
pub(crate) fn get<O: Object>(handle: *const O::Handle) -> Result<Arc<O>> {
    let (table, number) = number_of::<O>(handle)?;
    let slots = table.slots.read().unwrap_or_else(PoisonError::into_inner);
    let slot = slots.all.get(number.place);
    let slot = slot.filter(|slot| slot.uses == number.uses);
    let Some((object, name)) = slot.and_then(|slot| slot.held.as_ref()) else {
        return Err(freed::<O>());
    };
    let object = Arc::clone(object);
    object.downcast().map_err(|_| other_kind::<O>(name))
}

/// Frees a handle; null is none. Calls of other threads that use its object go on to their end.
pub(crate) fn free<O: Object>(handle: *mut O::Handle) -> Result {
    if handle.is_null() {
        return Ok(());
    }
    let (table, number) = number_of::<O>(handle)?;
    let mut slots = table.slots.write().unwrap_or_else(PoisonError::into_inner);
    let slot = slots.all.get_mut(number.place);
    let slot = slot.filter(|slot| slot.uses == number.uses);
    let slot = slot.ok_or_else(freed::<O>)?;
    match &slot.held {
        None => return Err(freed::<O>()),
        Some((object, name)) if !object.is::<O>() => return Err(other_kind::<O>(name)),
        Some(_) => {}
    }
    let object = slot.held.take();
    slot.uses += 1;
    // A place whose uses cannot be told apart any more is not used again.
    if slot.uses < below(USE_BITS) {
        slots.free.push(number.place);
    }
    // Its end may take a while, and may free other handles.
    drop(slots);
    drop(object);
    Ok(())
}

fn number_of<O: Object>(handle: *const O::Handle) -> Result<(&'static Table, Number)> {
    if handle.is_null() {
        return Err(null(&format!("the handle of {}", O::NAME)));
    }
    let table = table();
    let number = Number::of(handle.addr()).ok_or_else(|| {
        let message = format!("no handle of {}, but {:#x}", O::NAME, handle.addr());
        Failure::new(BACKSIGHT_ERROR_HANDLE, message)
    })?;
    if number.epoch != table.epoch & below(EPOCH_BITS) {
        let message = format!(
            "the handle of {} was made before this process was forked: make one here",
            O::NAME
        );
        return Err(Failure::new(BACKSIGHT_ERROR_FORKED, message));
    }
    Ok((table, number))
}

fn freed<O: Object>() -> Failure {
    let message = format!("the handle of {} was freed", O::NAME);
    Failure::new(BACKSIGHT_ERROR_HANDLE, message)
}

fn other_kind<O: Object>(name: &str) -> Failure {
    let message = format!("a handle of {name} was given for {}", O::NAME);
    Failure::new(BACKSIGHT_ERROR_HANDLE, message)
}

/// Waits for an object that one thread uses at a time.
pub(crate) fn lock<T>(of: &Mutex<T>) -> Result<MutexGuard<'_, T>> {
    of.lock().map_err(|_| broken())
}

/// Returns an object that nobody uses at the moment.
pub(crate) fn try_lock<T>(of: &Mutex<T>) -> Result<MutexGuard<'_, T>> {
    of.try_lock().map_err(|error| match error {
        std::sync::TryLockError::Poisoned(_) => broken(),
        std::sync::TryLockError::WouldBlock => Failure::new(
            BACKSIGHT_ERROR_BUSY,
            "another call is writing these answers: use others for each thread",
        ),
    })
}

fn broken() -> Failure {
    Failure::new(
        BACKSIGHT_ERROR_PANIC,
        "an earlier call failed by a bug in the middle of a change: free the handle",
    )
}

#[cfg(test)]
mod tests {
    use super::{EPOCH_BITS, Number, Object, USE_BITS, add, below, free, get};

    struct Thing(u32);
    struct Other;
    enum Handle {}

    impl Object for Thing {
        type Handle = Handle;
        const NAME: &'static str = "a thing";
    }

    impl Object for Other {
        type Handle = Handle;
        const NAME: &'static str = "another thing";
    }

    #[test]
    fn a_number_is_read_from_its_handle() {
        let ends = |bits| [0, 1, below(bits)];
        for epoch in ends(EPOCH_BITS) {
            for uses in ends(USE_BITS) {
                for place in ends(super::PLACE_BITS) {
                    let number = Number { epoch, uses, place };
                    assert_eq!(Number::of(number.handle()), Some(number));
                }
            }
        }
        // Addresses of programs are none.
        for address in [0, 1, 0x7fff_0000_1000, usize::MAX >> 1] {
            assert_eq!(Number::of(address), None);
        }
    }

    #[test]
    fn a_handle_leads_to_its_object_until_it_is_freed() {
        let one = add(Thing(1)).unwrap();
        assert_eq!(get::<Thing>(one).unwrap().0, 1);
        assert!(get::<Other>(one).is_err());
        assert!(free::<Other>(one).is_err());
        free::<Thing>(one).unwrap();
        assert!(free::<Thing>(one).is_err());
        let two = add(Thing(2)).unwrap();
        assert_ne!(one, two);
        assert!(get::<Thing>(one).is_err());
        assert_eq!(get::<Thing>(two).unwrap().0, 2);
        free::<Thing>(two).unwrap();
        free::<Thing>(std::ptr::null_mut()).unwrap();
    }
}
