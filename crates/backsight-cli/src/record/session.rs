//! The course of a recording.

use std::fmt;
use std::io::Write;
use std::path::PathBuf;
use std::process::Child;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant, SystemTime};

use backsight::account::LeftOut;
use backsight::{Finished, Host, ModuleFiles, RecordingOptions};
use backsight_agent::{Agent, SamplingError, SamplingNote, Target};

use super::flags::{Record, Whom};
use super::launch::{Launching, code_of};
use super::saved::Saver;
use super::status::{RecordingStatus, StatusLine, own_time};
use crate::account::When;
use crate::failure::{Done, Failure, Result, complain};
use crate::interrupt;

/// How long a step waits for samples.
const STEP: Duration = Duration::from_millis(200);

impl Record {
    pub(crate) fn run(&self, out: &mut impl Write) -> Result {
        let whom = self.whom()?;
        self.symbols.use_jobs()?;
        let checked = self.symbols.check();
        let files = self.files();
        let mut saver = Saver::new(self, &files)?;
        interrupt::end_by_itself();
        let launching = match &whom {
            Whom::Command(command) => Some(Launching::start(command)?),
            _ => None,
        };
        let target = target(&whom, launching.as_ref());
        let recording = RecordingOptions::default().with_summed(saver.sums());
        let recording = match self.normalize_only {
            true => recording,
            false => recording
                .with_maps(backsight::MapOptions::default().with_maps_of(self.symbols.maps_of())),
        };
        let agent = Agent::start(&target, &self.sampling(), recording, files);
        let mut agent = match agent {
            Ok(agent) => agent,
            Err(error) => {
                if let Some(launching) = launching {
                    launching.abandon();
                }
                return Err(failed(&error));
            }
        };
        if let Whom::Command(command) = &whom {
            let words = command
                .iter()
                .map(|word| word.to_string_lossy().into_owned());
            agent = agent.with_command(words.collect());
        }
        for note in agent.notes() {
            if matches!(note, SamplingNote::ProcessGone { .. }) {
                // Also with -q: a part of what was asked for is not done.
                complain(format_args!("{note}"));
                continue;
            }
            // On virtual machines that is usual, and the samples are as good.
            if *note != SamplingNote::NoHardwareCounter || self.symbols.verbose {
                self.say(&note);
            }
        }
        let mut child = launching.map(Launching::go).transpose()?;
        let (own_before, before) = (own_time(), agent.sampler().elapsed());
        let began = self.sample(&mut agent, child.as_mut(), &mut saver)?;
        agent.stop();
        let status = agent.status();
        let own = own_time().saturating_sub(own_before);
        let elapsed = agent.sampler().elapsed().saturating_sub(before);
        self.say(&RecordingStatus {
            agent: &agent,
            elapsed,
            own,
        });
        if interrupt::is_called_off() {
            self.say(&format_args!(
                "writing {}; Ctrl-C again discards it",
                saver.shown()
            ));
        }
        let mut finished = agent.finish();
        let left_out = left_out(&mut finished, status.left_out);
        let exited = match &mut child {
            Some(child) => child.try_wait().ok().flatten().map(code_of),
            None => None,
        };
        // The command could not be run, and the child has said why.
        if let Some(code @ (126 | 127)) = exited.filter(|_| status.samples == 0) {
            return Ok(Done::Code(code));
        }
        let path = saver.save(&mut finished.profile, began, left_out, out)?;
        let done = match &path {
            Some(path) => {
                saver.summarize(&finished.profile, path);
                let rest = own_time().saturating_sub(own).as_secs_f64();
                let own = own.as_secs_f64();
                self.say(&format_args!(
                    "processor time of this command: {own:.2} s recording, {rest:.2} s before and \
                     after it (names, writing)"
                ));
                checked
            }
            // Intervals before the last one had samples.
            None if saver.has_written() => checked,
            None => {
                complain(format_args!("{}", saver.nothing_written(status, &whom)));
                Done::InPart
            }
        };
        match child {
            Some(child) => Ok(Done::Code(self.end(child)?).and(done)),
            None => Ok(done),
        }
    }

    /// Samples until the end, and writes a file for each interval that is over. Returns when the
    /// last interval began.
    fn sample(
        &self,
        agent: &mut Agent,
        mut child: Option<&mut Child>,
        saver: &mut Saver<'_>,
    ) -> Result<SystemTime> {
        let started = Instant::now();
        let mut line = StatusLine::new(self.account.when() == When::Never, own_time());
        let (mut began, mut interval) = (SystemTime::now(), Instant::now());
        let saver = Mutex::new(saver);
        thread::scope(|scope| {
            let mut saving = None;
            loop {
                let left = self
                    .duration
                    .map(|all| all.saturating_sub(started.elapsed()));
                let until = self
                    .every
                    .map(|every| every.saturating_sub(interval.elapsed()));
                let wait = left.into_iter().chain(until).fold(STEP, Duration::min);
                let goes_on = agent.step(wait).map_err(|error| failed(&error))?;
                line.update(agent);
                let exited = match &mut child {
                    Some(child) => child.try_wait().is_ok_and(|status| status.is_some()),
                    None => false,
                };
                let is_over = self.duration.is_some_and(|all| started.elapsed() >= all);
                // What the command has started may outlive it.
                let has_ended = exited && agent.sampler().has_ended();
                let is_interval_over = self.every.is_some_and(|every| interval.elapsed() >= every);
                let ends = interrupt::is_called_off() || is_over || !goes_on || has_ended;
                if ends {
                    line.clear();
                    finished(saving.take())?;
                    return Ok(began);
                }
                // An interval is longer if the file of the one before is still being written.
                let is_free = saving.as_ref().is_none_or(ScopedJoinHandle::is_finished);
                if is_interval_over && is_free {
                    line.clear();
                    finished(saving.take())?;
                    let (mut profile, saver) = (agent.take_profile(), &saver);
                    // The buffers must be read meanwhile.
                    saving = Some(scope.spawn(move || {
                        let mut saver = saver.lock().unwrap_or_else(PoisonError::into_inner);
                        let nowhere = &mut std::io::sink();
                        saver.save(&mut profile, began, LeftOut::default(), nowhere)
                    }));
                    (began, interval) = (SystemTime::now(), Instant::now());
                }
            }
        })
    }

    /// Returns where the files of modules are.
    fn files(&self) -> ModuleFiles {
        match self.normalize_only {
            false => self.symbols.files(),
            true => {
                let mut host = Host::this();
                (host.kallsyms, host.kernel_root, host.perf_maps) = (None, None, None);
                ModuleFiles::default().with_host(host).without_files()
            }
        }
    }

    /// Waits for the command, which goes on if the recording ended before. Returns its exit code.
    fn end(&self, mut child: Child) -> Result<u8> {
        let failed = |error| Failure::io("waiting for the command", &error);
        // After Ctrl-C, the command has got the signal, too.
        let has_ended = child.try_wait().map_err(failed)?.is_some();
        if !has_ended && !interrupt::is_called_off() {
            self.say(&"the recording is over; waiting for the command to end");
        }
        child.wait().map(code_of).map_err(failed)
    }

    fn say(&self, what: &dyn fmt::Display) {
        if self.account.when() != When::Never {
            complain(format_args!("{what}"));
        }
    }
}

/// Waits for a file to be written.
fn finished(saving: Option<ScopedJoinHandle<'_, Result<Option<PathBuf>>>>) -> Result<()> {
    let done = saving.map(|saving| saving.join());
    match done {
        Some(Ok(written)) => written.map(drop),
        Some(Err(panic)) => std::panic::resume_unwind(panic),
        None => Ok(()),
    }
}

fn target(whom: &Whom<'_>, launching: Option<&Launching>) -> Target {
    match (whom, launching) {
        (_, Some(launching)) => Target::Launched(launching.child.id()),
        (Whom::Processes(pids), _) => Target::Processes(pids.clone()),
        (Whom::Cgroup(path), _) => Target::Cgroup((*path).clone()),
        (Whom::Everyone | Whom::Command(_), _) => Target::Everyone,
    }
}

fn failed(error: &SamplingError) -> Failure {
    match error {
        SamplingError::TooFast { .. } => Failure::Usage(error.to_string()),
        _ => Failure::Failed(error.to_string()),
    }
}

/// Returns what is not in the profile, with the reasons.
fn left_out(finished: &mut Finished, rows: u64) -> LeftOut {
    let mut left_out = LeftOut::default();
    left_out.add("samples beyond the rows that a profile may have", rows);
    left_out.add_other("records that the kernel lost", finished.lost);
    left_out.add_other(
        "times that the kernel throttled sampling",
        finished.throttled,
    );
    left_out.add_other("records that came too late", finished.problems.late);
    left_out.add_flaws(&finished.problems.flaws);
    left_out.ends = std::mem::take(&mut finished.ends);
    left_out.maps = std::mem::take(&mut finished.maps);
    left_out
}
