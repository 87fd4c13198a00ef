//! `symbolize -i`: addresses that were normalized earlier, on this or another host.
//!
//! Works as a filter: address lines get frames, all other lines are copied unchanged.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use backsight::account::LineTally;
use backsight::{Known, Lookups, ModuleFiles};
use backsight_formats::ndjson::{AddressLine, Error, HeaderLine, JsonLine, Reader};
use backsight_formats::{folded, legacy, perf_script};
use backsight_symbolize::Symbolizer;
use backsight_types::{Module, ModuleIdx};

use super::accounted::{Accounted, report_by_path_alone};
use super::symbols::Symbols;
use crate::account::{self, When};
use crate::failure::{Failure, Result, complain};
use crate::file::{Shown, open_input};
use crate::foreign;
use crate::sink::Sink;
use crate::tool::TOOL;

/// The largest batch, which is about 1.5 MiB of NDJSON.
const BUFFER_BYTES: usize = 1 << 20;

/// Symbolizes a capture, and returns the number of its malformed lines.
pub(super) fn run(
    path: &Path,
    symbols: &Symbols,
    account: When,
    sink: &mut Sink<impl Write>,
) -> Result<u64> {
    let (input, path) = open_input(path)?;
    let mut input = BufReader::with_capacity(BUFFER_BYTES, input);
    let begin = input.fill_buf();
    let begin = begin.map_err(|error| Failure::io(Shown(path), &error))?;
    let inside = foreign::unpacked(begin);
    let packed = inside.as_ref().map_or("", |_| "packed by gzip, ");
    let begin = inside.as_deref().unwrap_or(begin);
    let other = foreign::known(begin).or_else(|| of_convert(begin));
    let other = other.or_else(|| inside.as_ref().map(|_| ("not NDJSON", CONVERT)));
    if let Some((what, way_out)) = other {
        let cause = format_args!("{packed}{what}: {way_out}");
        return Err(Failure::of(Shown(path), cause));
    }
    let files = symbols.files_of(path);
    let symbolizer = Symbolizer::new(files.symbols().clone());
    let mut capture = Capture {
        symbolizer: Accounted::new(symbolizer, symbols),
        files,
        modules: HashMap::new(),
        batch: Vec::new(),
        begun: false,
        malformed: MalformedLines::default(),
        tally: (account != When::Never).then(LineTally::default),
    };
    let mut reader = Reader::new(input);
    while let Some(item) = reader.next() {
        match item {
            Ok((line, record)) => capture.take(path, line, record, sink)?,
            Err(malformed @ Error::Malformed { .. }) => {
                capture.finish_batch(sink)?;
                capture.malformed.take(path, malformed, sink)?;
            }
            Err(error) => {
                capture.finish_batch(sink)?;
                return Err(match error {
                    Error::Io(error) => Failure::io(Shown(path), &error),
                    error => Failure::of(Shown(path), error),
                });
            }
        }
        // Answer before a read that may block.
        if !reader.get_ref().buffer().contains(&b'\n') {
            capture.finish_batch(sink)?;
            sink.flush()?;
        }
    }
    capture.finish_batch(sink)?;
    let malformed = capture.malformed.finish(path)?;
    if let Some(tally) = capture.tally.take() {
        // The account comes after the answers.
        sink.flush()?;
        let (figures, modules) = tally.account(malformed);
        account::report(&figures, account, &modules, None);
    }
    Ok(malformed)
}

/// Advice for input in another format.
const CONVERT: &str = "`backsight convert` reads it, and looks up its functions as well";

/// Recognizes input formats of `convert`.
fn of_convert(begin: &[u8]) -> Option<(&'static str, &'static str)> {
    let what = if begin.starts_with(b"PERFILE2") || begin.starts_with(b"2ELIFREP") {
        "a recording of perf"
    } else if perf_script::is_one(begin) {
        "the text of perf script"
    } else if legacy::is_one(begin) {
        "a profile of gperftools, jemalloc or Go"
    } else if folded::is_one(begin) {
        "folded stacks"
    } else {
        return None;
    };
    Some((what, CONVERT))
}

struct Capture {
    symbolizer: Accounted,
    files: ModuleFiles,
    modules: HashMap<ModuleIdx, (Module, Option<Known>)>,
    batch: Vec<AddressLine<'static>>,
    begun: bool,
    malformed: MalformedLines,
    /// `None` if no account is wanted.
    tally: Option<LineTally>,
}

/// Counts and reports malformed lines.
///
/// Until the first valid record, lines are not reported one by one: if the file has another
/// format, all its lines are malformed for the same reason.
#[derive(Debug, Default)]
struct MalformedLines {
    count: u64,
    first: Option<Error>,
    /// Whether a valid record was read.
    is_ours: bool,
}

impl MalformedLines {
    /// Notes a valid record: the input is NDJSON.
    fn record_read(&mut self, path: &Path) {
        self.is_ours = true;
        if let Some(first) = self.first.take() {
            let more = match self.count {
                1 => String::new(),
                count => format!(" (and {} more like it before the first record)", count - 1),
            };
            complain(format_args!("{}, {first}{more}", Shown(path)));
        }
    }

    /// Counts a malformed line; reports it if there was a valid record before.
    fn take(&mut self, path: &Path, error: Error, sink: &mut Sink<impl Write>) -> Result<()> {
        self.count += 1;
        if !self.is_ours {
            self.first.get_or_insert(error);
            return Ok(());
        }
        complain(format_args!("{}, {error}", Shown(path)));
        if let Error::Malformed { line, cause } = &error {
            sink.malformed(*line, "", cause)?;
        }
        Ok(())
    }

    /// Returns the number of malformed lines; an error if there was no valid record.
    fn finish(&self, path: &Path) -> Result<u64> {
        if self.is_ours {
            return Ok(self.count);
        }
        let way_out = "give the output of `backsight normalize --format json`; `backsight convert` \
                       reads recordings and profiles of other formats";
        Err(match &self.first {
            Some(first) => Failure::of(
                Shown(path),
                format_args!("it contains no valid record: {first}: {way_out}"),
            ),
            None => Failure::of(
                Shown(path),
                format_args!("it contains no record: {way_out}"),
            ),
        })
    }
}

impl Capture {
    fn take(
        &mut self,
        path: &Path,
        line: u64,
        record: JsonLine,
        sink: &mut Sink<impl Write>,
    ) -> Result<()> {
        self.malformed.record_read(path);
        match record {
            JsonLine::Header(header) => {
                self.finish_batch(sink)?;
                if let Some(tally) = &mut self.tally {
                    tally.begin();
                }
                self.begin(Some(header), sink)?;
            }
            JsonLine::Module { index, module } => {
                // Addresses before this line refer to the old module of this index.
                self.finish_batch(sink)?;
                self.begin(None, sink)?;
                sink.module(index, &module)?;
                if let Some(tally) = &mut self.tally {
                    tally.module(index, &module);
                }
                self.modules.insert(index, (module, None));
            }
            JsonLine::Address(mut address) => {
                let module = address.module;
                if let Some(index) = module.filter(|index| !self.modules.contains_key(index)) {
                    let cause = format!("module {} was not defined by an earlier line", index.0);
                    let error = Error::Malformed { line, cause };
                    complain(format_args!("{}, {error}", Shown(path)));
                    self.malformed.count += 1;
                    // The address is kept, because samples refer to addresses by number.
                    address.module = None;
                }
                self.batch.push(address);
            }
            other => {
                self.finish_batch(sink)?;
                self.begin(None, sink)?;
                match (&mut self.tally, &other) {
                    (Some(tally), JsonLine::Sample(sample)) => tally.sample(sample),
                    (Some(tally), JsonLine::About(about)) => tally.about(about),
                    _ => {}
                }
                sink.pass_on(&other)?;
            }
        }
        Ok(())
    }

    fn finish_batch(&mut self, sink: &mut Sink<impl Write>) -> Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        self.begin(None, sink)?;
        let mut lookups = Lookups::default();
        for address in self.batch.drain(..) {
            let index = address.module;
            let entry = index.and_then(|index| self.modules.get_mut(&index));
            let known = entry.map(|(module, known)| {
                *known.get_or_insert_with(|| introduce(&self.files, &self.symbolizer, module))
            });
            let virtual_offset = address.virtual_offset.or_else(|| {
                let (module, _) = self.modules.get(&index?)?;
                module.virt_offset_of(address.file_offset?)
            });
            lookups.push(
                AddressLine {
                    virtual_offset,
                    ..address
                },
                known,
            );
        }
        let tally = &mut self.tally;
        self.symbolizer.answer(lookups, |answer| {
            if let Some(tally) = tally {
                tally.address(answer);
            }
            let module = answer.module.and_then(|index| self.modules.get(&index));
            Ok(sink.answer(answer, module.map(|(module, _)| module))?)
        })
    }

    /// Writes our header, with the process and backend of the capture's header.
    fn begin(&mut self, theirs: Option<HeaderLine>, sink: &mut Sink<impl Write>) -> Result<()> {
        if self.begun && theirs.is_none() {
            return Ok(());
        }
        self.begun = true;
        let theirs = theirs.unwrap_or_default();
        sink.header(&HeaderLine {
            pid: theirs.pid,
            backend: theirs.backend,
            ..HeaderLine::new(TOOL)
        })?;
        Ok(())
    }
}

fn introduce(files: &ModuleFiles, symbolizer: &Symbolizer, module: &Module) -> Known {
    let known = files.introduce(symbolizer, module);
    if known.by_path_alone {
        report_by_path_alone(&module.path);
    }
    known
}
