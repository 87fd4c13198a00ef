//! Converts a `perf record` file to a profile for `go tool pprof`.
//!
//! ```sh
//! perf record -g -- PROGRAM
//! cargo run -p backsight --example perf_to_pprof > profile.pb.gz
//! ```

use std::error::Error;
use std::io;

use backsight::formats::pprof;
use backsight::{ModuleFiles, PerfData, ProfileSymbolizer, RecordingOptions};

fn main() -> Result<(), Box<dyn Error>> {
    let (files, options) = (ModuleFiles::of_this_host(), RecordingOptions::default());
    let mut read = PerfData::of_file("perf.data", options, files.clone())?.finish();
    ProfileSymbolizer::new(files).look_up(&mut read.profile);
    pprof::write(
        &read.profile,
        io::stdout().lock(),
        &pprof::Options::default(),
    )?;
    Ok(())
}
