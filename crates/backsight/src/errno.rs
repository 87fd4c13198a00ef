//! The failed system call behind an error.

use std::error::Error;
use std::ffi::c_int;
use std::io;

use backsight_formats::{legacy, ndjson, perf_data, pprof};
use backsight_symbolize::Cause;

use crate::capture::RecordingError;

/// Returns the number of the failed system call among the causes of an error.
#[must_use]
pub fn errno_in(error: &(dyn Error + 'static)) -> Option<c_int> {
    let mut next = Some(error);
    while let Some(error) = next {
        let known = own_errno(error).or_else(|| errno_in(shown_as(error)?));
        if known.is_some() {
            return known;
        }
        next = error.source();
    }
    None
}

fn own_errno(error: &(dyn Error + 'static)) -> Option<c_int> {
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return error.raw_os_error();
    }
    match error.downcast_ref::<backsight_files::Error>()? {
        backsight_files::Error::Io(error) => error.errno(),
        _ => None,
    }
}

/// Returns the error that this one is shown as, which `source` then leaves out.
fn shown_as<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return Some(error.get_ref()?);
    }
    if let Some(error) = error.downcast_ref::<backsight_symbolize::Error>() {
        return Some(error.cause());
    }
    if let Some(Cause::File(error)) = error.downcast_ref() {
        return Some(error);
    }
    if let Some(vma_query::Error::Denied(file) | vma_query::Error::Io(file)) = error.downcast_ref()
    {
        return Some(file.error());
    }
    match error.downcast_ref() {
        Some(RecordingError::File(file)) => return Some(file.error()),
        Some(RecordingError::Read(file)) => return Some(file.error()),
        _ => {}
    }
    if let Some(perf_data::Error::Io(error)) = error.downcast_ref() {
        return Some(error);
    }
    if let Some(pprof::Error::Io(error)) = error.downcast_ref() {
        return Some(error);
    }
    if let Some(legacy::Error::Io(error)) = error.downcast_ref() {
        return Some(error);
    }
    match error.downcast_ref()? {
        ndjson::Error::Io(error) => Some(error),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;

    use backsight_symbolize::ModuleInput;

    use crate::capture::{PerfData, RecordingOptions};
    use crate::find::ModuleFiles;

    use super::errno_in;

    const ENOENT: i32 = 2;

    #[test]
    fn the_errno_is_found_behind_each_error() {
        let path = Path::new("/no/such");
        let symbols = ModuleInput::open(path).unwrap_err();
        assert_eq!(errno_in(&symbols), Some(ENOENT));
        let (options, files) = (RecordingOptions::default(), ModuleFiles::default());
        let recording = PerfData::of_file(path, options, files).unwrap_err();
        assert_eq!(errno_in(&recording), Some(ENOENT));
        let inner = io::Error::other(io::Error::from_raw_os_error(ENOENT));
        assert_eq!(errno_in(&inner), Some(ENOENT));
        let options = backsight_normalize::Options::default().with_proc_root(path.to_owned());
        let session = backsight_normalize::Session::open(1, options);
        // It is what it means.
        assert_eq!(errno_in(&session.unwrap_err()), None);
    }
}
