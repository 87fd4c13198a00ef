//! `inspect` of a symbol file in a format of its own: which build it is of, and what it has.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use backsight_formats::escape::Terminal;
use backsight_symbolize::{Options, SymbolFile, SymbolFormat, SymbolSource};

use crate::failure::{Done, Failure, Result, complain};
use crate::file::Shown;

/// Returns whether the first bytes of a file are those of a symbol file.
pub(crate) fn is_symbol_file(file: &File) -> bool {
    let mut first = [0; 8];
    let read = file.read_at(&mut first, 0);
    let first = read.ok().and_then(|count| first.get(..count));
    first.is_some_and(|first| SymbolFormat::of(first).is_some())
}

/// Says what a symbol file is, and on standard error what is wrong with it.
pub(crate) fn run(path: &Path, options: &Options, out: &mut impl Write) -> Result {
    let file = SymbolFile::open(path, options.access, &options.limits);
    let file = file.map_err(|error| Failure::of(Shown(path), error.cause()))?;
    describe(&file, out)?;
    let unread_rules = file.unread_cfi();
    if unread_rules > 0 {
        complain(format_args!(
            "{}: {unread_rules} ranges of STACK CFI have rules that cannot be read",
            Shown(path)
        ));
    }
    for shortfall in file.shortfalls() {
        complain(format_args!("{}: {}", Shown(path), shortfall.kind));
    }
    Ok(Done::Fully)
}

fn describe(file: &SymbolFile, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "format    {}", file.format())?;
    if let Some((module, _)) = file.breakpad() {
        let [name, os, cpu] =
            [&module.name, &module.os, &module.cpu].map(|text| Terminal(text.as_bytes()));
        writeln!(out, "module    {name} ({os} {cpu})")?;
    }
    match file.build_id() {
        Some(id) => writeln!(out, "build ID  {id}")?,
        None => writeln!(out, "build ID  none")?,
    }
    if let Some(id) = file.debug_id() {
        writeln!(out, "debug ID  {id}")?;
    }
    let Some((_, counts)) = file.breakpad() else {
        let functions = file.gsym_functions().unwrap_or(0);
        return writeln!(out, "functions {functions}");
    };
    writeln!(out, "functions {}", counts.functions)?;
    writeln!(out, "lines     {}", counts.lines)?;
    writeln!(out, "inlined   {}", counts.inlined)?;
    writeln!(out, "symbols   {}", counts.symbols)?;
    writeln!(out, "STACK CFI {}", counts.cfi_ranges)?;
    if counts.stack_win > 0 {
        writeln!(out, "STACK WIN {} (not used)", counts.stack_win)?;
    }
    Ok(())
}
