//! What `perf record` wrote, as a profile that `go tool pprof` shows.
//!
//! ```sh
//! perf record -g -- PROGRAM
//! cargo run -p backsight --example perf_to_pprof > profile.pb.gz
//! ```

use std::error::Error;
use std::io;

use backsight::{ModuleFiles, PerfData, ProfileSymbolizer, RecordingOptions};
use backsight_formats::pprof;

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
