//! Modules that several sessions share.

use std::ptr;

use backsight_normalize::SharedModules;
use backsight_types::ModuleIdx;

use crate::failure::{Failure, Result, ended};
use crate::handles::{self, Object};
use crate::raw::OutPlace;
use crate::status::{BACKSIGHT_ERROR_NOT_FOUND, backsight_status};

/// Modules that several sessions share: the build ID of a library is read once for all processes
/// that map it, and a module has the same index in all of them. Threads may share it.
#[derive(Debug)]
pub struct backsight_modules {
    _unused: [u8; 0],
}

#[derive(Default)]
pub(crate) struct SharedTable(pub(crate) SharedModules);

impl Object for SharedTable {
    type Handle = backsight_modules;
    const NAME: &'static str = "shared modules";
}

/// Makes a table for modules that sessions share.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn backsight_modules_new(
    modules: *mut *mut backsight_modules,
) -> backsight_status {
    ended(|| {
        // SAFETY: the caller may have it written.
        let place = unsafe { OutPlace::new(modules, ptr::null_mut(), "modules") }?;
        place.put(handles::add(SharedTable::default())?);
        Ok(())
    })
}

/// Frees the table. Sessions that share it keep it.
#[unsafe(no_mangle)]
pub extern "C" fn backsight_modules_free(modules: *mut backsight_modules) -> backsight_status {
    ended(|| handles::free::<SharedTable>(modules))
}

/// Drops the open files of all modules but the `keep` that were added last. If `dropped` is not
/// null, it is set to their number. Everything else of the modules is kept.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn backsight_modules_release_images(
    modules: *mut backsight_modules,
    keep: usize,
    dropped: *mut usize,
) -> backsight_status {
    ended(|| {
        let table = handles::get::<SharedTable>(modules)?;
        let count = table.0.release_images(keep);
        // SAFETY: the caller may have it written.
        unsafe { put_count(dropped, count, "dropped") }
    })
}

/// Forgets a module, for example of a program that was replaced. Its index is not used again.
#[unsafe(no_mangle)]
pub extern "C" fn backsight_modules_remove(
    modules: *mut backsight_modules,
    module: u32,
) -> backsight_status {
    ended(|| {
        let table = handles::get::<SharedTable>(modules)?;
        match table.0.remove(ModuleIdx(module)) {
            true => Ok(()),
            false => Err(no_module(module)),
        }
    })
}

pub(crate) fn no_module(module: u32) -> Failure {
    let message = format!("there is no module {module}");
    Failure::new(BACKSIGHT_ERROR_NOT_FOUND, message)
}

/// Writes a number, if it is wanted.
///
/// # Safety
/// If it is not null, a number may be written there.
pub(crate) unsafe fn put_count(place: *mut usize, count: usize, what: &str) -> Result {
    if !place.is_null() {
        // SAFETY: the same is promised.
        unsafe { OutPlace::new(place, count, what) }?;
    }
    Ok(())
}
