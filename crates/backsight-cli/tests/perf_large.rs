//! Memory grows much less than the recording, and stays below 300 MB.
//!
//! By default, the largest recording has 32 MiB. `BACKSIGHT_RECORDING_BYTES` sets its size; for
//! 1 GiB, which needs as much disk space:
//!
//! ```text
//! BACKSIGHT_RECORDING_BYTES=1073741824 \
//!     cargo test --release -p backsight-cli --test perf_large -- --nocapture
//! ```

use std::path::Path;
use std::process::{Command, Stdio};

use testkit::{memory, perf, skip};

const DEFAULT: u64 = 32 << 20;

/// The limit for any size, in bytes.
const MOST: u64 = 300_000_000;

/// The additional memory allowed for a recording of eight times the size, besides a fraction of
/// its size: the tables have a row for each process and its mappings.
const MORE: u64 = 32_000_000;
const PART: u64 = 8;

fn peak(args: &[&str], recording: &Path) -> u64 {
    let mut command = Command::new(env!("CARGO_BIN_EXE_backsight"));
    command.args(args).arg("-i").arg(recording);
    memory::peak(command.stdout(Stdio::null()))
}

#[test]
fn memory_is_a_small_part_of_the_recording() {
    let Some(program) = perf::program() else {
        return skip("no C compiler");
    };
    let program = program.to_str().expect("a name");
    let args = ["-e", "cpu-clock", "-F", "20000", "-g"];
    let recording = match perf::record(&args, &[program, "forks", "100000"]) {
        Ok(recording) => recording,
        Err(why) => return skip(&why),
    };
    let asked = std::env::var("BACKSIGHT_RECORDING_BYTES").ok();
    let size = asked.map_or(DEFAULT, |size| size.parse().expect("a number of bytes"));
    let [small, large] = ["small.data", "large.data"].map(|name| recording.dir().join(name));
    perf::enlarge(&recording.data, &small, size / 8);
    perf::enlarge(&recording.data, &large, size);
    let ways: [&[&str]; 2] = [&["normalize"], &["convert", "--to", "folded", "-o", "-"]];
    for args in ways {
        let start = std::time::Instant::now();
        let peaks = [&small, &large].map(|recording| peak(args, recording));
        println!("{args:?}: {peaks:?} bytes, {:?} for both", start.elapsed());
        let [before, behind] = peaks;
        assert!(behind < MOST, "{args:?}: {peaks:?}");
        assert!(behind < before + MORE + size / PART, "{args:?}: {peaks:?}");
    }
}
