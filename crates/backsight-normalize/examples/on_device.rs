//! What a device needs of a profiler: converts the stacks of a process to build IDs and offsets,
//! and looks up nothing. Another host names them: `backsight symbolize -i`, or `convert`.
//!
//! `on_device PID`: each line of standard input is a stack of hexadecimal addresses, innermost
//! first; the answers to it are lines of JSON, and are written before the next line is read.
//! Single addresses stand on lines of their own.
//!
//! Built as `docs/EMBEDDING.md` says, it is one static file of less than 600 KB, and takes less
//! than 1 MB of memory.

use std::error::Error;
use std::io::{BufWriter, stdin, stdout};
use std::process::ExitCode;

use backsight_formats::address_list::{LineContent, Reader};
use backsight_formats::ndjson::{AddressLine, HeaderLine, MalformedLine, Writer};
use backsight_normalize::{AbsAddr, ModuleIdx, Options, Outcome, Session};
use backsight_types::Lookup;

fn main() -> ExitCode {
    let pid = std::env::args().nth(1).and_then(|pid| pid.parse().ok());
    let Some(pid) = pid else {
        eprintln!("on_device PID: stacks of the process on standard input, one on a line");
        return ExitCode::from(2);
    };
    match run(pid) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("on_device: process {pid}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(pid: u32) -> Result<(), Box<dyn Error>> {
    let mut session = Session::open(pid, Options::default())?;
    let mut lines = Reader::new(stdin().lock());
    let mut out = Writer::new(BufWriter::new(stdout().lock()));
    out.header(&HeaderLine {
        pid: Some(pid),
        ..HeaderLine::new(concat!("on_device ", env!("CARGO_PKG_VERSION")))
    })?;
    let (mut entries, mut addrs, mut outcomes) = (Vec::new(), Vec::new(), Vec::new());
    let mut written = 0;
    while lines.read_line(&mut entries)? != LineContent::End {
        addrs.clear();
        addrs.extend(entries.iter().flatten());
        session.normalize(&addrs, &mut outcomes)?;
        // A module is written before the first address in it.
        while let Some(found) = session.modules().get(written) {
            out.module(index(written)?, &found.module)?;
            written += 1;
        }
        let mut answers = addrs.iter().zip(&outcomes);
        let mut lookup = Lookup::Exact;
        for entry in &entries {
            match entry {
                Ok(_) => {
                    let Some((address, outcome)) = answers.next() else {
                        break;
                    };
                    out.address(&line(*address, lookup, *outcome, &session))?;
                }
                Err(wrong) => out.malformed(&MalformedLine {
                    line: wrong.line,
                    text: &wrong.text,
                    cause: &wrong.cause.to_string(),
                })?,
            }
            lookup = Lookup::Return;
        }
        out.flush()?;
    }
    Ok(())
}

fn line(
    addr: AbsAddr,
    lookup: Lookup,
    outcome: Outcome,
    session: &Session,
) -> AddressLine<'static> {
    let module = match outcome {
        Outcome::Located { module, .. } => session.modules().get(module.as_usize()),
        _ => None,
    };
    AddressLine::normalized(addr, lookup, outcome, module.map(|found| &found.module))
}

fn index(at: usize) -> Result<ModuleIdx, std::num::TryFromIntError> {
    Ok(ModuleIdx(u32::try_from(at)?))
}
