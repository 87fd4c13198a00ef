//! A profiling agent: samples a process, or the whole machine without an argument, and writes a
//! pprof file for each interval, until it is interrupted.
//!
//! `cargo run --example agent -p backsight-agent -- PID`

use std::error::Error;
use std::fs::File;
use std::time::{Duration, Instant};

use backsight::formats::pprof;
use backsight::{ModuleFiles, ProfileSymbolizer, RecordingOptions};
use backsight_agent::{Agent, SamplingOptions, Target};

const INTERVAL: Duration = Duration::from_secs(10);

fn main() -> Result<(), Box<dyn Error>> {
    let target = match std::env::args().nth(1) {
        Some(pid) => Target::Processes(vec![pid.parse()?]),
        None => Target::Everyone,
    };
    // Functions are looked up on this machine. An agent on a device would pass
    // `ModuleFiles::default().without_files()`, and send build IDs and offsets elsewhere.
    let files = ModuleFiles::of_this_host();
    let recording = RecordingOptions::default().with_summed(true);
    let options = SamplingOptions::default();
    let mut agent = Agent::start(&target, &options, recording, files.clone())?;
    for note in agent.notes() {
        eprintln!("{note}");
    }
    // It keeps what it read of files, within its memory budget, from one profile to the next.
    let mut symbolizer = ProfileSymbolizer::new(files);
    for number in 0.. {
        let until = Instant::now() + INTERVAL;
        let mut goes_on = true;
        while goes_on && Instant::now() < until {
            goes_on = agent.step(Duration::from_millis(200))?;
        }
        if !goes_on {
            // The last events wait for those of other processors until then.
            agent.stop();
        }
        let mut profile = agent.take_profile();
        symbolizer.restart();
        symbolizer.look_up(&mut profile);
        let name = format!("profile-{number}.pb.gz");
        pprof::write(&profile, File::create(&name)?, &pprof::Options::default())?;
        println!("{name}: {:?}", agent.status());
        if !goes_on {
            break;
        }
    }
    Ok(())
}
