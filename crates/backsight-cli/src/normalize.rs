//! `backsight normalize`: converts addresses of a process, or of a recording, to modules and
//! offsets.

mod kernel;
mod saved;
mod source;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use backsight::{LiveJit, LiveKernelNames};
use backsight_formats::ndjson::HeaderLine;
use backsight_normalize::{BuildIds, Options, Session};
use clap::ValueEnum;

use crate::account::{AccountFlags, LiveListReport};
use crate::archive_problems::ArchiveProblems;
use crate::args::{AutoOrNever, BackendArg, check_proc_root, kernel_root_of, parse_pid};
use crate::convert::{self, Convert};
use crate::debug_files::DebugFiles;
use crate::failure::{self, Done, Failure, Result};
use crate::file::Shown;
use crate::input::{Addresses, Batch};
use crate::jit_maps::JitMaps;
use crate::palette::Palette;
use crate::sink::{Layout, Sink};
use crate::tool::TOOL;
use saved::Saved;
use source::{LiveSource, MapsSource};

/// Convert addresses of a process or a recording to modules and offsets, which are valid on any
/// host
///
/// Every address gets an answer, in the order given: a module with the offset in its file, the
/// virtual offset that symbols use, and its build ID; or the reason why it has none. A recording
/// is converted to NDJSON, sample by sample, or to a profile of another format, as input for
/// `convert` (or `symbolize -i`) on another host.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("source").required(true))]
pub(crate) struct Normalize {
    /// The process
    #[arg(short, long, value_name = "PID", value_parser = parse_pid, group = "source")]
    pid: Option<u32>,

    /// A saved /proc/PID/maps instead of a live process
    #[arg(long, value_name = "FILE", group = "source")]
    maps: Option<PathBuf>,

    /// The kernel that runs here, which lists its addresses for root (CAP_SYSLOG). ROOT is the
    /// directory with its proc, sys, boot and lib, such as /host in a sidecar
    #[arg(long, value_name = "ROOT", num_args = 0..=1, require_equals = true, group = "source")]
    #[arg(default_missing_value = "/")]
    #[arg(conflicts_with_all = ["backend", "build_id", "virtual_offset", "map_files", "proc_root"])]
    kernel: Option<PathBuf>,

    /// A `perf record` file instead of addresses; `-` is standard input
    #[arg(short, long, value_name = "CAPTURE", group = "source")]
    #[arg(conflicts_with_all = ["list", "stack", "backend", "build_id"])]
    #[arg(conflicts_with_all = ["virtual_offset", "map_files", "remapped_text", "proc_root"])]
    input: Option<PathBuf>,

    /// The format of the recording; overrides its name and content
    #[arg(long, value_enum, value_name = "FORMAT", requires = "input")]
    from: Option<convert::InputFormat>,

    /// For a recording, take only the samples of this event, with its modifiers or without:
    /// `cycles`, `cycles:u`, `cpu_core/cycles/` [default: all]
    #[arg(long, value_name = "NAME", requires = "input")]
    event: Option<String>,

    #[command(flatten)]
    addresses: Addresses,

    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// How to print the answers [default: text; for a recording, json]
    #[arg(long, value_enum)]
    format: Option<NormalizeFormat>,

    /// How to read the VMAs of the process
    #[arg(long, value_enum, default_value_t, conflicts_with = "maps")]
    backend: BackendArg,

    /// Where build IDs come from
    #[arg(long, value_enum, default_value_t, conflicts_with = "maps")]
    build_id: BuildIdFrom,

    /// Whether to read program headers, which are needed for virtual offsets
    #[arg(long, value_enum, default_value_t, conflicts_with = "maps")]
    virtual_offset: AutoOrNever,

    /// Whether to open files through /proc/PID/map_files if permitted: this opens the mapped
    /// file itself, even if it was deleted or replaced
    #[arg(long, value_enum, default_value_t, num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "auto", conflicts_with = "maps")]
    map_files: AutoOrNever,

    /// Whether text of a file that the program moved to memory without a file, such as huge
    /// pages, is taken as that file's, and marked as inferred
    #[arg(
        long,
        value_enum,
        value_name = "WHEN",
        default_value_t,
        conflicts_with = "maps"
    )]
    remapped_text: AutoOrNever,

    /// Whose lists of names of code that was made at run time are read (perf-PID.map,
    /// jit-PID.dump), since no other host has them: of a recording, those beside it, in /tmp of
    /// each --root, and in /tmp; of a live process, its own. Another user may write there what
    /// they like
    #[arg(long, value_enum, value_name = "WHOSE", default_value_t)]
    #[arg(conflicts_with_all = ["maps", "kernel"])]
    jit_maps: JitMaps,

    #[command(flatten)]
    debug_files: DebugFiles,

    /// Where to find processes instead of /proc, such as /host/proc in a sidecar
    #[arg(long, value_name = "DIR", conflicts_with = "maps")]
    proc_root: Option<PathBuf>,

    /// Exit with code 3 if an address is neither in a file nor in code with a name, or a line is
    /// malformed
    #[arg(long)]
    strict: bool,

    #[command(flatten)]
    account: AccountFlags,
}

/// The format of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum NormalizeFormat {
    /// Text for reading
    Text,
    /// NDJSON, one object per line; documented, and stable within a schema_version
    Json,
    /// For a recording: profile.proto, gzipped
    Pprof,
    /// For a recording: OpenTelemetry profiles in protobuf
    #[cfg(feature = "otlp")]
    Otlp,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum BuildIdFrom {
    /// The kernel if it supports the ioctl, otherwise the file
    #[default]
    Auto,
    /// Only the kernel, by the ioctl
    Kernel,
    /// Only the notes of the file
    File,
    /// No build IDs
    None,
}

impl Normalize {
    pub(crate) fn run(self, out: &mut impl Write) -> Result {
        if let Some(input) = self.input {
            let to = match self.format {
                None | Some(NormalizeFormat::Json) => convert::Output::Ndjson,
                Some(NormalizeFormat::Pprof) => convert::Output::Pprof,
                #[cfg(feature = "otlp")]
                Some(NormalizeFormat::Otlp) => convert::Output::Otlp,
                Some(NormalizeFormat::Text) => {
                    let message = "a recording is not printed as text: omit --format";
                    return Err(Failure::Usage(message.to_owned()));
                }
            };
            let convert = Convert::without_symbols(
                input,
                self.from,
                self.output,
                to,
                self.strict,
                self.debug_files,
            );
            let convert = convert.with_event(self.event).with_account(self.account);
            let convert = convert.with_jit_maps(self.jit_maps);
            return convert.run(out);
        }
        if !self.debug_files.is_default() && self.kernel.is_none() {
            let message = "--debug-dir, --root and --trust-paths apply only to a recording (-i): the \
                           files of a process are opened through the process";
            return Err(Failure::Usage(message.to_owned()));
        }
        match &self.output {
            None => self.write(out, Palette::of_stdout()),
            Some(path) => {
                let failed = |error| Failure::io(Shown(path), &error);
                let path = path.clone();
                let mut out = BufWriter::new(File::create(&path).map_err(failed)?);
                let done = self.write(&mut out, Palette::default());
                let done = done.and_then(|done| Ok(out.flush().map(|()| done)?));
                done.map_err(|failure| failure.on_writing(&Shown(&path)))
            }
        }
    }

    fn write(self, out: &mut impl Write, palette: Palette) -> Result {
        let layout = match self.format {
            None | Some(NormalizeFormat::Text) => Layout::Text(palette),
            Some(NormalizeFormat::Json) => Layout::Json,
            Some(_) => {
                let message = "a profile can be written only for a recording: give -i, or another \
                               --format";
                return Err(Failure::Usage(message.to_owned()));
            }
        };
        if let Some(root) = &self.kernel {
            self.addresses.check_given()?;
            let mut sink = Sink::new(out, layout);
            let checked = self.debug_files.check();
            let symbols = self.debug_files.options();
            let malformed = kernel::run(root, symbols, self.addresses, &mut sink)?;
            return Ok(Done::under(self.strict, malformed + sink.unresolved).and(checked));
        }
        let mut source = self.maps_source()?;
        self.addresses.check_given()?;
        let mut header = Some(HeaderLine {
            pid: self.pid,
            ..HeaderLine::new(TOOL)
        });
        let mut sink = Sink::new(out, layout);
        sink.shows_places = true;
        let mut outcomes = Vec::new();
        sink.set_end_mark(self.addresses.end_mark.as_deref());
        let malformed = self.addresses.each_batch(|batch: &Batch| {
            sink.begin_batch(&batch.marks);
            source.normalize(&batch.addrs, &mut outcomes)?;
            if let Some(header) = header.take() {
                sink.header(&HeaderLine {
                    backend: source.backend(),
                    ..header
                })?;
            }
            for ((addr, lookup), outcome) in batch.iter().zip(&outcomes) {
                let answer = source.answer(addr, lookup, *outcome);
                let module = answer.module.and_then(|index| source.module(index));
                sink.answer(&answer, module)?;
            }
            sink.flush()?;
            source.report();
            Ok(())
        })?;
        if let Some(header) = header {
            sink.header(&header)?;
        }
        Ok(Done::under(self.strict, malformed + sink.unresolved))
    }

    fn maps_source(&self) -> Result<MapsSource> {
        if let Some(path) = &self.maps {
            let saved = Saved::read(path, self.addresses.all().as_deref())?;
            return Ok(MapsSource::Saved(Box::new(saved)));
        }
        check_proc_root(self.proc_root.as_deref())?;
        // clap requires one of the two.
        let pid = self.pid.unwrap_or_default();
        let options = Options::default()
            .with_backend(self.backend.into())
            .with_build_ids(match self.build_id {
                BuildIdFrom::Auto => BuildIds::Auto,
                BuildIdFrom::Kernel => BuildIds::Kernel,
                BuildIdFrom::File => BuildIds::File,
                BuildIdFrom::None => BuildIds::None,
            })
            .with_segments(self.virtual_offset == AutoOrNever::Auto)
            .with_map_files(self.map_files == AutoOrNever::Auto)
            .with_remapped_text(self.remapped_text == AutoOrNever::Auto)
            .with_images(false)
            .with_proc_root(self.proc_root.clone());
        let session = Session::open(pid, options);
        let session = session.map_err(|error| failure::process(pid, &error))?;
        let kernel_root = kernel_root_of(self.proc_root.as_deref());
        let jit = LiveJit::new(pid, self.proc_root.as_deref(), self.jit_maps.into());
        Ok(MapsSource::Live(Box::new(LiveSource {
            pid,
            session,
            jit,
            lists: LiveListReport::default(),
            archive_problems: ArchiveProblems::default(),
            kernel: LiveKernelNames::new(Some(kernel_root), &self.debug_files.options()),
            kernel_was_said: false,
        })))
    }
}
