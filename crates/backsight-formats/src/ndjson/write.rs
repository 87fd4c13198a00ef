//! Lines out.

use std::io::{self, Write};

use backsight_types::{Module, ModuleIdx};
use serde::Serialize;

use super::check::Check;
use super::dialogue::{End, Malformed};
use super::index::Index;
use super::module::ModuleLine;
use super::record::{Address, Header, Mapping, Record, Sample, Vma};
use super::symbol::Symbol;

/// Writes line by line. Nothing is buffered here.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
}

impl<W: Write> Writer<W> {
    /// Takes where the lines go to.
    pub fn new(out: W) -> Self {
        Self { out }
    }

    /// Returns it, for lines of another kind.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.out
    }

    /// Gives it back.
    pub fn into_inner(self) -> W {
        self.out
    }

    /// Writes a header, which is to be the first line.
    ///
    /// # Errors
    /// Those of the output, here and below.
    pub fn header(&mut self, header: &Header) -> io::Result<()> {
        self.line(header)
    }

    /// Writes a module, which is to come before the first address that names it.
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
    pub fn address(&mut self, address: &Address<'_>) -> io::Result<()> {
        self.line(address)
    }

    /// Writes a mapping.
    ///
    /// # Errors
    /// Those of the output.
    pub fn mapping(&mut self, mapping: &Mapping) -> io::Result<()> {
        self.line(mapping)
    }

    /// Writes a sample.
    ///
    /// # Errors
    /// Those of the output.
    pub fn sample(&mut self, sample: &Sample) -> io::Result<()> {
        self.line(sample)
    }

    /// Writes a VMA of `backsight maps`.
    ///
    /// # Errors
    /// Those of the output.
    pub fn vma(&mut self, vma: &Vma<'_>) -> io::Result<()> {
        self.line(vma)
    }

    /// Writes a finding of `backsight doctor`.
    ///
    /// # Errors
    /// Those of the output.
    pub fn check(&mut self, check: &Check<'_>) -> io::Result<()> {
        self.line(check)
    }

    /// Writes what `backsight index` says of a file.
    ///
    /// # Errors
    /// Those of the output.
    pub fn index(&mut self, index: &Index<'_>) -> io::Result<()> {
        self.line(index)
    }

    /// Writes what `backsight inspect` lists.
    ///
    /// # Errors
    /// Those of the output.
    pub fn symbol(&mut self, symbol: &Symbol<'_>) -> io::Result<()> {
        self.line(symbol)
    }

    /// Writes an entry of the input that is no address.
    ///
    /// # Errors
    /// Those of the output.
    pub fn malformed(&mut self, malformed: &Malformed<'_>) -> io::Result<()> {
        self.line(malformed)
    }

    /// Writes that all of a line of the input is answered.
    ///
    /// # Errors
    /// Those of the output.
    pub fn end(&mut self, end: End) -> io::Result<()> {
        self.line(&end)
    }

    /// Writes any record.
    ///
    /// # Errors
    /// Those of the output.
    pub fn record(&mut self, record: &Record) -> io::Result<()> {
        match record {
            Record::Header(header) => self.header(header),
            Record::Module { index, module } => self.module(*index, module),
            Record::Address(address) => self.address(address),
            Record::Mapping(mapping) => self.mapping(mapping),
            Record::Sample(sample) => self.sample(sample),
            Record::About(about) => self.line(about),
            Record::Process(process) => self.line(process),
            Record::Thread(thread) => self.line(thread),
            Record::Attribute(attribute) => self.line(attribute),
        }
    }

    /// Sends on what the output has buffered.
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
