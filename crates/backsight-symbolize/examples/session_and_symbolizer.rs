//! What an agent does that shows names at once: stacks of a live process, batch after
//! batch, to functions and lines.
//!
//! A `Session` knows the process and proves whose file each module is; a `Symbolizer`
//! knows files and never sees the process. Between them go open files and offsets.
//!
//! ```sh
//! cargo run --release -p backsight-symbolize --example session_and_symbolizer -- PID 0x7f0000001000 …
//! ```

use std::error::Error;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use backsight_normalize::{ModuleImage, NormalizedModule, Session};
use backsight_symbolize::{
    Answers, FrameRef, ModuleId, ModuleInput, Place, Request, Stack, Symbolizer,
};
use backsight_types::{AbsAddr, Lookup, Outcome, Reason};

/// A process, and the symbols of what it has mapped.
#[derive(Debug)]
pub(crate) struct Live {
    session: Session,
    symbolizer: Symbolizer,
    /// Of each module of the session.
    ids: Vec<Result<ModuleId, Reason>>,
    // Used again by each batch.
    outcomes: Vec<Outcome>,
    places: Vec<usize>,
    requests: Vec<Request>,
    answers: Answers,
}

impl Live {
    /// Opens a process. `images` hands the files over that normalizing has opened.
    pub(crate) fn open(pid: u32) -> Result<Self, Box<dyn Error>> {
        let options = backsight_normalize::Options::default().with_images(true);
        let symbols = backsight_symbolize::Options::default()
            // In a container, debug files stand beside the program.
            .with_roots(vec![format!("/proc/{pid}/root").into()]);
        Ok(Self {
            session: Session::open(pid, options)?,
            symbolizer: Symbolizer::new(symbols),
            ids: Vec::new(),
            outcomes: Vec::new(),
            places: Vec::new(),
            requests: Vec::new(),
            answers: Answers::default(),
        })
    }

    /// Hands each address's place in the batch, and its frames or the reason why it has
    /// none, to `found`. Order does not matter, nor do addresses that come twice.
    pub(crate) fn names(
        &mut self,
        addrs: &[(AbsAddr, Lookup)],
        mut found: impl FnMut(usize, Result<Stack<'_>, Reason>),
    ) -> Result<(), Box<dyn Error>> {
        let raw: Vec<AbsAddr> = addrs.iter().map(|(addr, _)| *addr).collect();
        self.session.normalize(&raw, &mut self.outcomes)?;
        let new = self.session.modules().iter().skip(self.ids.len());
        self.ids
            .extend(new.map(|module| introduce(&self.symbolizer, module)));
        self.places.clear();
        self.requests.clear();
        for (at, (outcome, (_, lookup))) in self.outcomes.iter().zip(addrs).enumerate() {
            let request = match *outcome {
                Outcome::Located {
                    module,
                    file_offset,
                } => self.ids[module.as_usize()]
                    .map(|module| Request::new(module, Place::File(file_offset), *lookup)),
                Outcome::Unresolved(reason) => Err(reason),
                _ => Err(Reason::Unmapped),
            };
            match request {
                Ok(request) => {
                    self.places.push(at);
                    self.requests.push(request);
                }
                Err(reason) => found(at, Err(reason)),
            }
        }
        let Self {
            symbolizer,
            places,
            requests,
            answers,
            ..
        } = self;
        symbolizer.symbolize_each(requests, answers, |at, answer| found(places[at], answer));
        Ok(())
    }
}

/// Hands a module over: its file, which the session has proven and opened, or the
/// vDSO's bytes.
fn introduce(symbolizer: &Symbolizer, known: &NormalizedModule) -> Result<ModuleId, Reason> {
    let module = &known.module;
    let source = match (&known.image, module.build_id) {
        (Some(ModuleImage::File(file)), _) => ModuleInput::File {
            file: file.clone(),
            path: Some(OsStr::from_bytes(&module.path).into()),
        },
        (Some(ModuleImage::Bytes(bytes)), _) => ModuleInput::Bytes(bytes.clone()),
        // Deleted, or not ours to read: its debug file may be here all the same.
        (_, Some(build_id)) => ModuleInput::BuildId(build_id),
        (_, None) => return Err(module.unreadable.unwrap_or(Reason::Unreadable)),
    };
    Ok(symbolizer.add(source, module.build_id, module.segments.clone()))
}

fn line(frame: FrameRef<'_>) -> String {
    let function = frame.function.unwrap_or("[no name]");
    let inlined = if frame.inlined { " [inlined]" } else { "" };
    match (frame.file, frame.line) {
        (Some(file), Some(line)) => format!("  {function}{inlined}  {file}:{line}\n"),
        _ => format!("  {function}{inlined}\n"),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let pid = args
        .next()
        .ok_or("usage: session_and_symbolizer PID ADDRESS…")?
        .parse()?;
    let address = |arg: String| {
        let digits = arg.trim_start_matches("0x");
        Ok((AbsAddr(u64::from_str_radix(digits, 16)?), Lookup::Exact))
    };
    let addrs: Vec<_> = args.map(address).collect::<Result<_, Box<dyn Error>>>()?;
    let mut lines = vec![String::new(); addrs.len()];
    Live::open(pid)?.names(&addrs, |at, answer| {
        lines[at] = match answer {
            Ok(stack) => stack.into_iter().map(line).collect(),
            Err(reason) => format!("  [{reason}]\n"),
        };
    })?;
    for ((addr, _), lines) in addrs.iter().zip(&lines) {
        print!("{addr}\n{lines}");
    }
    Ok(())
}
