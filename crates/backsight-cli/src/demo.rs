//! `backsight demo`: normalizes and symbolizes the stack of a child process.

mod child;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod stack;

use std::io::Write;
use std::time::{Duration, Instant};

use backsight::LiveOptions;
use backsight_formats::ndjson::AddressLine;
use backsight_normalize::{Normalized, Options, normalize};
use backsight_types::{AbsAddr, Lookup, Outcome};
use vma_query::{Backend, Error, ProcMaps};

use crate::failure::{self, Done, Result};
use crate::palette::Palette;
use crate::sink::{Layout, Sink};
use crate::symbolize::{LiveProcess, Symbols};

/// Odd, so that the median is one of the times.
const ROUNDS: usize = 201;

/// Show what backsight does, with a child process as an example
///
/// Starts a child with a known call chain, stops it in the vDSO, unwinds its stack, and converts
/// the addresses to functions and lines, once with the ioctl and once with the text, with the
/// time of each.
#[derive(Debug, clap::Args)]
pub(crate) struct Demo {}

pub(crate) use child::run as child;

impl Demo {
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    pub(crate) fn run(self, _out: &mut impl Write) -> Result {
        let message = "the demo unwinds a stack, which is implemented only for x86-64 and AArch64";
        Err(failure::Failure::Failed(message.to_owned()))
    }

    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    pub(crate) fn run(self, out: &mut impl Write) -> Result {
        let child = stack::Stopped::start()?;
        let (pid, stack) = (child.pid(), child.unwind()?);
        writeln!(
            out,
            "Process {pid} is a child of this command. It stopped itself, was stepped {} \
             instructions into\nthe vDSO, and its stack was unwound by .eh_frame.\n",
            child.steps
        )?;
        let by_text = by(Backend::Text, pid, &stack)?;
        compare(out, pid, &stack, &by_text)?;
        writeln!(out, "\nNormalized, innermost first:")?;
        let layout = Layout::Text(Palette::of_stdout());
        let mut sink = Sink::new(&mut *out, layout);
        for ((addr, lookup), outcome) in lookups(&stack).zip(&by_text.outcomes) {
            let module = match outcome {
                Outcome::Located { module, .. } => by_text.modules.get(module.as_usize()),
                _ => None,
            };
            let module = module.map(|known| &known.module);
            sink.answer(
                &AddressLine::normalized(addr, lookup, *outcome, module),
                module,
            )?;
        }
        writeln!(out, "\nSymbolized:")?;
        let mut live = LiveProcess::open(pid, LiveOptions::default(), &Symbols::default())?;
        live.answer(lookups(&stack), &mut Sink::new(&mut *out, layout))?;
        Ok(Done::Fully)
    }
}

/// The first address of a stack is exact; the others are return addresses.
fn lookups(stack: &[AbsAddr]) -> impl Iterator<Item = (AbsAddr, Lookup)> {
    let first = std::iter::once(Lookup::Exact);
    let lookups = first.chain(std::iter::repeat(Lookup::Return));
    stack.iter().copied().zip(lookups)
}

fn by(backend: Backend, pid: u32, stack: &[AbsAddr]) -> Result<Normalized> {
    let options = Options::default().with_backend(backend);
    normalize(pid, stack, options).map_err(|error| failure::process(pid, &error))
}

/// Normalizes with each backend, and reports whether they agree and how long each took.
fn compare(out: &mut impl Write, pid: u32, stack: &[AbsAddr], by_text: &Normalized) -> Result<()> {
    let failed = |error| failure::process(pid, &error);
    let vmas = ProcMaps::open(pid).map_err(failed)?.vmas().count();
    let count = stack.len();
    writeln!(
        out,
        "{count} addresses in {} modules of a process with {vmas} VMAs; time from open to close, \
         median of {ROUNDS} rounds:",
        by_text.modules.len()
    )?;
    let [ioctl, text] = median_times(pid, stack).map_err(failed)?;
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    match ioctl {
        Some(ioctl) => writeln!(out, "  PROCMAP_QUERY   {:8.2} µs", micros(ioctl))?,
        None => writeln!(
            out,
            "  PROCMAP_QUERY   this kernel does not answer it; Linux 6.11 and later does"
        )?,
    }
    if let Some(text) = text {
        writeln!(out, "  /proc/PID/maps  {:8.2} µs", micros(text))?;
    }
    if let (Some(ioctl), Some(text)) = (ioctl, text) {
        let ratio = text.as_secs_f64() / ioctl.as_secs_f64().max(f64::MIN_POSITIVE);
        let by_ioctl = by(Backend::Ioctl, pid, stack)?;
        let differing = differing(&by_ioctl, by_text);
        if differing == 0 {
            writeln!(
                out,
                "Both agree on the module, build ID and offsets of each; the text takes {ratio:.1} \
                 times as long."
            )?;
        } else {
            let message = format!(
                "the two backends disagree on {differing} of {count} addresses: this is an error \
                 in backsight, please report it"
            );
            return Err(failure::Failure::Failed(message));
        }
    }
    Ok(())
}

/// Returns in how many addresses two results differ.
fn differing(one: &Normalized, other: &Normalized) -> usize {
    let whole = |of: &Normalized, outcome: Outcome| match outcome {
        Outcome::Located {
            module,
            file_offset,
        } => {
            let known = of.modules.get(module.as_usize());
            Ok((known.map(|known| known.module.clone()), file_offset))
        }
        placeless => Err(placeless),
    };
    let pairs = one.outcomes.iter().zip(&other.outcomes);
    pairs
        .filter(|(a, b)| whole(one, **a) != whole(other, **b))
        .count()
}

/// Returns the median time by ioctl and by text, measured alternately so that both run under the
/// same conditions; `None` for a backend that this kernel does not support.
fn median_times(pid: u32, stack: &[AbsAddr]) -> Result<[Option<Duration>; 2], Error> {
    let backends = [Backend::Ioctl, Backend::Text];
    let mut times = [const { Vec::new() }; 2];
    for _ in 0..ROUNDS {
        for (backend, times) in backends.into_iter().zip(&mut times) {
            let options = Options::bare().with_backend(backend);
            let begin = Instant::now();
            match normalize(pid, stack, options) {
                Ok(_) => times.push(begin.elapsed()),
                Err(Error::Unsupported) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(times.map(|mut times| {
        times.sort_unstable();
        times.get(times.len() / 2).copied()
    }))
}
