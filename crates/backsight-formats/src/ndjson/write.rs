//! Writes lines.

use std::io::{self, Write};

use backsight_types::{Module, ModuleIdx};
use serde::Serialize;

use super::check::CheckLine;
use super::dialogue::{EndLine, MalformedLine};
use super::index::IndexLine;
use super::module::ModuleLine;
use super::record::{AddressLine, HeaderLine, JsonLine, MappingLine, SampleLine, VmaLine};
use super::stored::StoredLine;
use super::symbol::SymbolLine;

/// Writes lines. It does not buffer.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
}

impl<W: Write> Writer<W> {
    /// Creates a writer.
    pub fn new(out: W) -> Self {
        Self { out }
    }

    /// Returns the output, to write other lines.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.out
    }

    /// Returns the output.
    pub fn into_inner(self) -> W {
        self.out
    }

    /// Writes a header, which must be the first line.
    ///
    /// # Errors
    /// Those of the output.
    pub fn header(&mut self, header: &HeaderLine) -> io::Result<()> {
        self.line(header)
    }

    /// Writes a module, which must precede the first address in it.
    ///
    /// # Errors
    /// Those of the output.
    pub fn module(&mut self, index: ModuleIdx, module: &Module) -> io::Result<()> {
        self.line(&ModuleLine::new(index, module))
    }

    /// Writes an address.
    ///
    /// # Errors
    /// Those of the output.
    pub fn address(&mut self, address: &AddressLine<'_>) -> io::Result<()> {
        self.line(address)
    }

    /// Writes a mapping.
    ///
    /// # Errors
    /// Those of the output.
    pub fn mapping(&mut self, mapping: &MappingLine) -> io::Result<()> {
        self.line(mapping)
    }

    /// Writes a sample.
    ///
    /// # Errors
    /// Those of the output.
    pub fn sample(&mut self, sample: &SampleLine) -> io::Result<()> {
        self.line(sample)
    }

    /// Writes a VMA of `backsight maps`.
    ///
    /// # Errors
    /// Those of the output.
    pub fn vma(&mut self, vma: &VmaLine<'_>) -> io::Result<()> {
        self.line(vma)
    }

    /// Writes a finding of `backsight doctor`.
    ///
    /// # Errors
    /// Those of the output.
    pub fn check(&mut self, check: &CheckLine<'_>) -> io::Result<()> {
        self.line(check)
    }

    /// Writes the description of an index by `backsight index`.
    ///
    /// # Errors
    /// Those of the output.
    pub fn index(&mut self, index: &IndexLine<'_>) -> io::Result<()> {
        self.line(index)
    }

    /// Writes a file of a store.
    ///
    /// # Errors
    /// Those of the output.
    pub fn stored(&mut self, stored: &StoredLine<'_>) -> io::Result<()> {
        self.line(stored)
    }

    /// Writes a symbol of `backsight inspect`.
    ///
    /// # Errors
    /// Those of the output.
    pub fn symbol(&mut self, symbol: &SymbolLine<'_>) -> io::Result<()> {
        self.line(symbol)
    }

    /// Writes an entry of the input that is not an address.
    ///
    /// # Errors
    /// Those of the output.
    pub fn malformed(&mut self, malformed: &MalformedLine<'_>) -> io::Result<()> {
        self.line(malformed)
    }

    /// Writes the end of the answers to a line of the input.
    ///
    /// # Errors
    /// Those of the output.
    pub fn end(&mut self, end: EndLine) -> io::Result<()> {
        self.line(&end)
    }

    /// Writes any record.
    ///
    /// # Errors
    /// Those of the output.
    pub fn record(&mut self, record: &JsonLine) -> io::Result<()> {
        match record {
            JsonLine::Header(header) => self.header(header),
            JsonLine::Module { index, module } => self.module(*index, module),
            JsonLine::Address(address) => self.address(address),
            JsonLine::Mapping(mapping) => self.mapping(mapping),
            JsonLine::Sample(sample) => self.sample(sample),
            JsonLine::About(about) => self.line(about),
            JsonLine::Process(process) => self.line(process),
            JsonLine::Thread(thread) => self.line(thread),
            JsonLine::Attribute(attribute) => self.line(attribute),
        }
    }

    /// Flushes the output.
    ///
    /// # Errors
    /// Those of the output.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    pub(super) fn line(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, value)?;
        self.out.write_all(b"\n")
    }
}
