//! `backsight inspect`: lists the symbols of a file, or finds them by name.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use backsight_formats::escape::Terminal;
use backsight_formats::ndjson::{HeaderLine, SymbolLine, Writer};
use backsight_symbolize::{Definition, DefinitionKind, Error, ModuleInput, Symbolizer};

use crate::args::Format;
use crate::failure::{Done, Failure, Result, complain};
use crate::file::{Shown, open_regular};
use crate::inspect_symbol_file;
use crate::not_elf;
use crate::oversized;
use crate::symbolize::Symbols;
use crate::symbolize::accounted::Accounted;
use crate::tool::TOOL;

/// List the functions and data that a file defines, or find them by name
///
/// Reads symbol tables and debug files. For each name, prints its virtual offset, its size, and
/// the source line of a function's start. A name that is not found is reported on standard
/// error, and the exit code is 1.
///
/// Of a symbol file in a format of its own (GSYM, Breakpad's), prints which build it is of,
/// and how many functions, lines and inlined calls it has.
#[derive(Debug, clap::Args)]
pub(crate) struct Inspect {
    /// An executable, a library, an object file, a debug file or a symbol file
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Mangled or demangled names: memchr, _ZN3abs3runEv, 'abs::run()' [default: list all]
    #[arg(value_name = "NAME")]
    names: Vec<String>,

    #[command(flatten)]
    symbols: Symbols,

    /// How to print them
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Inspect {
    pub(crate) fn run(self, out: &mut impl Write) -> Result {
        let path = &self.file;
        let file = open_regular(path).map_err(|error| Failure::io(Shown(path), &error))?;
        let checked = self.symbols.check();
        if inspect_symbol_file::is_symbol_file(&file) {
            if self.format == Format::Json || !self.names.is_empty() {
                return Err(Failure::of(
                    Shown(path),
                    "a symbol file is described as text alone, and not searched by name: \
                     look addresses up with symbolize --symbols",
                ));
            }
            let done = inspect_symbol_file::run(path, &self.symbols.options(), out)?;
            return Ok(done.and(checked));
        }
        if self.symbols.has_symbol_files() {
            complain(format_args!(
                "--symbols: not used: lists of symbols are of the file itself and its debug files"
            ));
        }
        let symbolizer = Accounted::new(Symbolizer::new(self.symbols.options()), &self.symbols);
        let file = Arc::new(file);
        let input = ModuleInput::File {
            file: Arc::clone(&file),
            path: Some(path.clone()),
        };
        let module = symbolizer.add(input, None, None);
        let failed = |error: Error| {
            let cause = not_elf::of_cause(error.cause(), &file, path);
            Failure::of(Shown(path), cause)
        };
        if self.format == Format::Json {
            Writer::new(&mut *out).header(&HeaderLine::new(TOOL))?;
        }
        if self.names.is_empty() {
            let all = symbolizer.definitions(module).map_err(failed)?;
            oversized::report(&symbolizer, [module].into_iter());
            self.write(out, &all)?;
            return Ok(checked);
        }
        let mut done = checked;
        for name in &self.names {
            let found = symbolizer.definitions_named(module, name);
            let found = found.map_err(failed)?;
            self.write(out, &found)?;
            if found.is_empty() {
                // Flush, so that results and messages appear in the order of the names.
                out.flush()?;
                complain(format_args!("{}: no definition of {name}", Shown(path)));
                done = Done::InPart;
            }
        }
        oversized::report(&symbolizer, [module].into_iter());
        Ok(done)
    }

    fn write(&self, out: &mut impl Write, definitions: &[Definition]) -> std::io::Result<()> {
        for definition in definitions {
            match self.format {
                Format::Text => write_text(out, definition)?,
                Format::Json => Writer::new(&mut *out).symbol(&line(definition))?,
            }
        }
        Ok(())
    }
}

fn kind(definition: &Definition) -> &'static str {
    match definition.kind {
        DefinitionKind::Function => "function",
        DefinitionKind::Object => "object",
        _ => "label",
    }
}

fn write_text(out: &mut impl Write, definition: &Definition) -> std::io::Result<()> {
    let (start, size, kind) = (definition.start.0, definition.size, kind(definition));
    let shown = Terminal(definition.shown.as_bytes());
    write!(out, "{start:#018x} {size:>8} {kind:<8} {shown}")?;
    if let Some(file) = &definition.file {
        write!(out, "  {}", Terminal(file.as_bytes()))?;
        if let Some(line) = definition.line {
            write!(out, ":{line}")?;
        }
    }
    writeln!(out)
}

fn line(definition: &Definition) -> SymbolLine<'_> {
    SymbolLine {
        name: &definition.name,
        function: Some(&*definition.shown).filter(|shown| *shown != &*definition.name),
        kind: kind(definition),
        start: definition.start,
        size: Some(definition.size).filter(|size| *size > 0),
        file: definition.file.as_deref(),
        line: definition.line,
    }
}
