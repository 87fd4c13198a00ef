//! The course of a recording.

use std::fmt;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::Child;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant, SystemTime};

use backsight::account::LeftOut;
use backsight::{Finished, Host, ModuleFiles, RecordingOptions};
use backsight_agent::{Agent, SamplingError, SamplingNote, Target};
use backsight_unwind::WalkEnd;

use super::clock::Clock;
use super::flags::Record;
use super::launch::{Launching, code_of};
use super::no_samples::{no_samples, vanished_words};
use super::privileges::{self, Uses};
use super::rewritten_files::rewritten_words;
use super::saved::Saver;
use super::status::{RecordingStatus, StatusLine, own_time};
use super::target_flags::Whom;
use crate::account::When;
use crate::failure::{Done, Failure, Result, complain};
use crate::interrupt;

/// What is kept of files from one interval to the next. A recorder that runs for months meets
/// every program of the machine; what was dropped is read again when it is hot again.
const MAX_KEPT_BYTES: u64 = 48 << 20;

/// The files that stay open to be read. Others are read when their first function is looked up.
const MAX_OPEN_FILES: usize = 32;

/// How long a step waits for samples.
const STEP: Duration = Duration::from_millis(200);

impl Record {
    pub(crate) fn run(&self, out: &mut impl Write) -> Result {
        let whom = self.whom()?;
        // It gets the capabilities of this process, which keeps only some from now on.
        let launching = match &whom {
            Whom::Command(command) => Some(Launching::start(command)?),
            _ => None,
        };
        match privileges::drop_others(self.uses()) {
            Ok(Some(dropped)) if self.symbols.verbose => self.say(&dropped),
            Ok(_) => {}
            Err(error) => self.say(&format_args!("no capability is dropped: {error}")),
        }
        self.symbols.use_jobs()?;
        let checked = self.symbols.check();
        let files = self.files();
        self.sampling().check().map_err(|error| failed(&error))?;
        let mut saver = Saver::new(self, &files)?;
        interrupt::end_by_itself();
        let target = target(&whom, launching.as_ref());
        let recording = RecordingOptions::default().with_summed(saver.sums());
        let recording = match self.normalize_only {
            true => recording,
            false => recording
                .with_maps(backsight::MapOptions::default().with_maps_of(self.symbols.maps_of())),
        };
        let labels = saver.has_labels() && !self.no_labels;
        let sampling = self.sampling().with_labels(labels);
        let agent = Agent::start(&target, &sampling, recording, files);
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
        if status.foreign > 0 {
            complain(format_args!(
                "{} samples are of processes outside of this PID namespace, which have no numbers \
                 and no names here: record in the first one, with its /proc",
                status.foreign
            ));
        }
        if interrupt::is_called_off() {
            self.say(&format_args!(
                "writing {}; Ctrl-C again discards it",
                saver.shown()
            ));
        }
        self.say_what_is_missing(&agent);
        let why_none = no_samples(self, &whom, &agent);
        let contexts: Vec<(&str, u64)> = agent.label_problems().collect();
        let mut finished = agent.finish();
        self.say_where_memory_ends(&finished);
        if let Some(words) = rewritten_words(&finished) {
            complain(format_args!("{words}"));
        }
        let mut left_out = left_out(&mut finished, status.left_out);
        for (reason, count) in contexts {
            let what = format!("contexts of processes (OTEL_CTX): {reason}");
            left_out.add_other(&what, count);
        }
        let exited = match &mut child {
            Some(child) => child.try_wait().ok().flatten().map(code_of),
            None => None,
        };
        // The command could not be run, and the child has said why.
        if let Some(code @ (126 | 127)) = exited.filter(|_| status.samples == 0) {
            return Ok(Done::Code(code));
        }
        let written = saver.save(&mut finished.profile, began, left_out, out);
        let written = match saver.kept_going(written, &finished.profile) {
            Ok(written) => written,
            Err(failure) => {
                if let Some(child) = child {
                    self.end(child)?;
                }
                return Err(failure);
            }
        };
        let done = match written {
            None => Done::InPart,
            Some(written) if !written.is_empty() => {
                saver.summarize(&finished.profile, &written);
                let rest = own_time().saturating_sub(own).as_secs_f64();
                let own = own.as_secs_f64();
                self.say(&format_args!(
                    "processor time of this command: {own:.2} s recording, {rest:.2} s before and \
                     after it (names, writing)"
                ));
                checked
            }
            // Intervals before the last one had samples.
            Some(_) if saver.has_written() || saver.lost_words().is_some() => checked,
            Some(_) => {
                complain(format_args!("{}", saver.nothing_written(&why_none)));
                Done::InPart
            }
        };
        let done = match saver.lost_words() {
            Some(words) => {
                complain(format_args!("{words}"));
                done.and(Done::InPart)
            }
            None => done,
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
        let end = self.duration.and_then(|all| started.checked_add(all));
        thread::scope(|scope| {
            // Sampling ends in time, however long it takes to work off what is in the buffers.
            let _clock = end.map(|end| Clock::start(scope, end, agent.sampler().stopper()));
            let mut saving = None;
            loop {
                let left = end.map(|end| end.saturating_duration_since(Instant::now()));
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
                let is_over = end.is_some_and(|end| Instant::now() >= end);
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
                    // What is sampled from now on is of the next one: taking the profile may have
                    // the kernel's symbols read.
                    let next = (SystemTime::now(), Instant::now());
                    let (mut profile, saver) = (agent.take_profile(), &saver);
                    // The buffers must be read meanwhile.
                    saving = Some(scope.spawn(move || {
                        let mut saver = saver.lock().unwrap_or_else(PoisonError::into_inner);
                        let nowhere = &mut std::io::sink();
                        let saved = saver.save(&mut profile, began, LeftOut::default(), nowhere);
                        let saved = saver.kept_going(saved, &profile);
                        drop(profile);
                        backsight_agent::release_freed_memory();
                        saved
                    }));
                    (began, interval) = next;
                }
            }
        })
    }

    fn uses(&self) -> Uses {
        Uses {
            kernel: self.sampling().kernel,
            names: !self.normalize_only,
        }
    }

    /// Returns where the files of modules are.
    fn files(&self) -> ModuleFiles {
        match self.normalize_only {
            false => {
                let files = self.symbols.files();
                let mut options = files.symbols().clone();
                let budget = &mut options.budget;
                budget.open_files = budget.open_files.min(MAX_OPEN_FILES);
                if self.every.is_some() {
                    budget.kept_bytes = budget.kept_bytes.min(MAX_KEPT_BYTES);
                }
                files.with_symbols(options)
            }
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

    /// Says what the recording lacks.
    fn say_what_is_missing(&self, agent: &Agent) {
        let sampler = agent.sampler();
        let (status, vanished) = (agent.status(), sampler.vanished());
        // Lost records may be those of the mappings that a program begins with.
        if vanished > 0 && status.lost == 0 && status.samples > 0 {
            complain(format_args!("{}", vanished_words(vanished)));
        }
        if status.cut > 0 {
            let most = agent.max_stack();
            self.say(&format_args!(
                "{} of {} stacks are cut at {most} frames, so their outermost callers are missing: \
                 raise sysctl kernel.perf_event_max_stack while nothing is recorded",
                status.cut, status.samples
            ));
        }
        let waiting = sampler.waiting_at_begin();
        if waiting > 0 {
            let what = match waiting {
                1 => "1 thread".to_owned(),
                count => format!("{count} threads"),
            };
            self.say(&format_args!(
                "{what} waited already when the recording began: until they ran, their \
                 time is that of [stack-not-recorded]"
            ));
        }
    }

    /// Says how many stacks are cut, unless the account will.
    fn say_where_memory_ends(&self, finished: &Finished) {
        let ends = finished.ends.iter();
        let cut = ends.filter(|(end, _)| *end == Some(WalkEnd::NotRecorded));
        let cut = cut.fold(0_u64, |sum, (_, count)| sum.saturating_add(count));
        let is_told = self.account.when() != When::Auto || std::io::stderr().is_terminal();
        if cut > 0 && !is_told {
            let total = finished.ends.total();
            self.say(&format_args!(
                "{cut} of {total} stacks are cut where the recorded memory ends: their outermost \
                 callers are missing; --call-graph fp goes further, where there are frame pointers"
            ));
        }
    }

    fn say(&self, what: &dyn fmt::Display) {
        if self.account.when() != When::Never {
            complain(format_args!("{what}"));
        }
    }
}

/// Waits for a file to be written.
fn finished(saving: Option<ScopedJoinHandle<'_, Result<Option<Vec<PathBuf>>>>>) -> Result<()> {
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
