//! Reads the text line by line.

use std::io::{self, BufRead};

use backsight_profile::{LocationIdx, Profile};
use backsight_types::Lookup;

use super::frame::{self, FrameLine};
use super::head::{self, FirstLine, SampleHead, Shape};
use super::recognize::{first, with_time_printed, without_time_printed};
use super::tables::{FramePlace, LocationKey, NamedFrame, OpenSample, ScriptTables, is_kernel};
use crate::flaws::Flaws;
use crate::lines::{BoundedLine, LineReader};

/// A C++ name takes about a hundredth of this.
const MAX_LINE: u64 = 1 << 20;

/// Maximum number of frames in a stack.
const MAX_FRAMES: usize = 1 << 16;

/// A malformed line. It is skipped, and reading continues.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {cause}")]
#[non_exhaustive]
pub struct Error {
    /// The line, counted from 1.
    pub line: u64,
    /// What is wrong with it.
    pub cause: &'static str,
}

/// Where the text ends if it was cut there: `perf script` ends each line, and each sample with a
/// call chain with a blank line.
const CUT_LINE: &str = "last line without a line end, left out: the text was cut";
const CUT_SAMPLE: &str =
    "sample without the blank line after its stack: the text was cut, and the stack may be";

/// Reads the output of `perf script`, and passes each malformed line to `malformed`. With `summed`,
/// samples that differ only in time are summed. Returns the profile with counts of its flaws.
///
/// If the text was cut within a line, that line is left out: a part of a name would look like a
/// name. If it was cut between two samples, or between two samples of one line each, nothing tells.
///
/// Bytes that are not UTF-8 are replaced by �.
///
/// # Errors
/// Those of the input.
pub fn read(
    input: impl BufRead,
    summed: bool,
    mut malformed: impl FnMut(&Error),
) -> io::Result<(Profile, Flaws)> {
    let mut text = ScriptParser {
        summed,
        ..ScriptParser::default()
    };
    let mut lines = LineReader::new(input, MAX_LINE);
    let mut flaws = Flaws::default();
    while let Some((line, whole, is_ended)) = lines.next_ended()? {
        if !is_ended {
            flaws.count(CUT_LINE);
            break;
        }
        let taken = match whole {
            BoundedLine::Whole(bytes) => text.take(line, &String::from_utf8_lossy(bytes)),
            BoundedLine::TooLong => Err("longer than 1 MiB"),
        };
        if let Err(cause) = taken {
            text.wrong.push(Error { line, cause });
        }
        text.wrong.drain(..).for_each(|wrong| malformed(&wrong));
    }
    if text.is_in_chain() {
        flaws.count(CUT_SAMPLE);
    }
    let (profile, wrong) = text.finish();
    wrong.iter().for_each(malformed);
    Ok((profile, flaws))
}

#[derive(Debug, Default)]
struct ScriptParser {
    tables: ScriptTables,
    summed: bool,
    /// The fields of the first sample, which all samples must have.
    shape: Option<Shape>,
    /// Whether samples have their only frame on the first line.
    one_line: bool,
    /// A line that starts the first sample if the next line is a frame.
    pending: Option<(u64, String)>,
    /// The number of a first frame without a preceding first line: either samples have no first
    /// line, or the start of the text was cut off. The following lines decide.
    cut: Option<u64>,
    held: Option<(OpenSample, Vec<LocationIdx>)>,
    /// The current sample, and its locations, innermost first.
    sample: Option<OpenSample>,
    stack: Vec<LocationIdx>,
    /// Whether samples have frames on lines of their own, which a blank line ends.
    has_chains: bool,
    /// The current location: its frames so far, and its address when its last frame was read.
    key: LocationKey,
    place: Option<FramePlace>,
    wrong: Vec<Error>,
}

impl ScriptParser {
    fn take(&mut self, number: u64, line: &str) -> Result<(), &'static str> {
        if line.trim_ascii().is_empty() {
            self.refuse_pending();
            self.finish_sample();
            return Ok(());
        }
        if let Some(comment) = line.strip_prefix('#') {
            self.comment(comment.trim_ascii());
            return Ok(());
        }
        if line.starts_with('\t') || self.goes_on_pending(line) {
            return self.chain_line(number, line);
        }
        if line.starts_with(' ') && self.sample.is_some() && !self.may_begin(line) {
            return match frame::parse(line) {
                Some(frame) => self.frame(&frame, true),
                None => {
                    self.source_line(line);
                    Ok(())
                }
            };
        }
        self.first_line(number, line)
    }

    /// Whether a line is a frame that is indented with blanks instead of a tab, and belongs to the
    /// sample that the previous line may start.
    fn goes_on_pending(&self, line: &str) -> bool {
        let frame = frame::parse(line).filter(|_| line.starts_with("    "));
        let begins = |text: &String| without_time_printed(text, false).is_some();
        frame.is_some_and(|frame| frame.function.is_some())
            && (self.pending.as_ref()).is_some_and(|(_, text)| begins(text))
    }

    /// Whether an indented line can start a sample instead of continuing one.
    fn may_begin(&self, line: &str) -> bool {
        let Some(shape) = self.shape else {
            return with_time_printed(line).is_some();
        };
        match (shape == Shape::default(), self.one_line) {
            (true, false) => with_time_printed(line).is_some(),
            (true, true) => without_time_printed(line, true).is_some(),
            (false, _) => self.parse(line, shape).is_some(),
        }
    }

    /// Parses a first line with at least the fields of earlier ones.
    fn parse<'l>(&self, line: &'l str, least: Shape) -> Option<(FirstLine<'l>, Shape)> {
        first(
            line,
            Shape::ALL.into_iter().filter(|it| it.has_all_of(least)),
        )
    }

    /// Takes a line that does not belong to the current sample.
    fn first_line(&mut self, number: u64, line: &str) -> Result<(), &'static str> {
        self.refuse_pending();
        self.finish_sample();
        let found = match self.shape {
            Some(shape) => self.parse(line, shape),
            None => with_time_printed(line).or_else(|| without_time_printed(line, true)),
        };
        match found {
            Some((FirstLine::Record, _)) => Ok(()),
            Some((FirstLine::Sample(head), shape)) => self.begin(&head, shape),
            None if self.shape.is_none() => {
                self.pending = Some((number, line.to_owned()));
                Ok(())
            }
            None => Err("neither a sample with the fields of earlier ones, nor a part of one"),
        }
    }

    /// Takes a frame of a call chain. It can show that the previous line started a sample.
    fn chain_line(&mut self, number: u64, line: &str) -> Result<(), &'static str> {
        if let Some((before, text)) = self.pending.take() {
            match without_time_printed(&text, false) {
                Some((FirstLine::Sample(head), shape)) => self.begin(&head, shape)?,
                _ => self.refuse(before),
            }
        }
        if self.sample.is_none() {
            match self.shape {
                None if self.cut.is_none() && self.wrong.is_empty() => {
                    self.cut = Some(number);
                    self.sample = Some(self.tables.begin(&SampleHead::default())?);
                }
                None if self.held.is_some() => {
                    self.begin(&SampleHead::default(), Shape::default())?
                }
                Some(shape) if shape == Shape::default() => {
                    self.begin(&SampleHead::default(), shape)?;
                }
                _ => return Err("a frame without a sample"),
            }
        }
        match frame::parse(line) {
            Some(frame) => self.frame(&frame, true),
            None => Err("not a frame: its address is not hexadecimal"),
        }
    }

    /// Whether the last line belongs to a stack that goes on up to a blank line.
    fn is_in_chain(&self) -> bool {
        self.has_chains && !self.one_line && self.sample.is_some()
    }

    fn refuse_pending(&mut self) {
        if let Some((line, _)) = self.pending.take() {
            self.refuse(line);
        }
    }

    fn refuse(&mut self, line: u64) {
        let cause = "neither a sample nor a part of one";
        self.wrong.push(Error { line, cause });
    }

    /// Keeps the command, host name and kernel version of the header.
    fn comment(&mut self, text: &str) {
        for wanted in ["cmdline : ", "hostname : ", "os release : "] {
            if text.starts_with(wanted) {
                let profile = &mut self.tables.profile;
                profile.comments.push(profile.strings.intern(text));
            }
        }
    }

    fn begin(&mut self, head: &SampleHead<'_>, shape: Shape) -> Result<(), &'static str> {
        self.finish_sample();
        if let Some(line) = self.cut.take() {
            match self.held.take().filter(|_| shape == Shape::default()) {
                Some((begun, stack)) => self.tables.finish(begun, &stack, self.summed),
                None => {
                    let cause = "frames before the first sample";
                    self.wrong.push(Error { line, cause });
                }
            }
        }
        self.shape.get_or_insert(shape);
        self.sample = Some(self.tables.begin(head)?);
        if let Some(frame) = head::only_frame(head.rest).and_then(frame::parse) {
            self.one_line = true;
            self.frame(&frame, false)?;
        }
        Ok(())
    }

    /// Takes a frame. In a call chain, addresses of user code are file offsets.
    fn frame(&mut self, frame: &FrameLine<'_>, in_chain: bool) -> Result<(), &'static str> {
        self.finish_location();
        self.has_chains |= in_chain;
        if self.stack.len() >= MAX_FRAMES || self.key.frames.len() >= MAX_FRAMES {
            return Err("more than 65,536 frames in one stack");
        }
        self.key.frames.push(NamedFrame {
            function: frame.function.map(str::to_owned),
            source: None,
            inlined: frame.inlined,
        });
        if frame.inlined {
            return Ok(());
        }
        let is_kernel = frame.dso.is_some_and(is_kernel);
        self.place = Some(FramePlace {
            addr: frame.addr,
            is_offset: in_chain && frame.dso.is_some() && !is_kernel,
            module: frame.dso.and_then(|dso| self.tables.module(dso)),
        });
        Ok(())
    }

    /// Takes the source line of the previous frame.
    fn source_line(&mut self, line: &str) {
        if let Some((file, line)) = frame::source_line(line)
            && let Some(last) = self.key.frames.last_mut()
        {
            last.source = Some((file.to_owned(), line));
        }
    }

    /// Completes a location when its last frame and source line were read.
    fn finish_location(&mut self) {
        let Some(place) = self.place.take() else {
            return;
        };
        let key = std::mem::take(&mut self.key);
        let lookup = match self.stack.is_empty() {
            true => Lookup::Exact,
            false => Lookup::Return,
        };
        self.stack.extend(self.tables.location(key, &place, lookup));
    }

    fn finish_sample(&mut self) {
        self.finish_location();
        // Drops inlined functions without the function that they were inlined into.
        self.key = LocationKey::default();
        let Some(begun) = self.sample.take() else {
            return;
        };
        if self.cut.is_some() {
            self.held = Some((begun, std::mem::take(&mut self.stack)));
            return;
        }
        self.tables.finish(begun, &self.stack, self.summed);
        self.stack.clear();
    }

    fn finish(mut self) -> (Profile, Vec<Error>) {
        self.refuse_pending();
        self.finish_sample();
        if let Some((begun, stack)) = self.held.take() {
            self.tables.finish(begun, &stack, self.summed);
        }
        (self.tables.into_profile(), self.wrong)
    }
}
