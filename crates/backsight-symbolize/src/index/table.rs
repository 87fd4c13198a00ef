//! The tables of one index, in memory or in a file's bytes.

use backsight_types::BuildId;
use bytemuck::{AnyBitPattern, NoUninit};

use super::header::{Kind, Meta};
use super::layout::{FileRecord, FunctionRecord, Le16, Le32, Node, Window};
use super::strings;
use crate::image::Image;

/// One table: built here, or somewhere in the file.
#[derive(Debug)]
pub(crate) enum Column<T> {
    Built(Vec<T>),
    /// Where its bytes start, and how many there are.
    InFile(usize, usize),
}

impl<T> Default for Column<T> {
    fn default() -> Self {
        Self::Built(Vec::new())
    }
}

impl<T: AnyBitPattern + NoUninit> Column<T> {
    #[inline]
    fn get<'i>(&'i self, image: Option<&'i Image>) -> &'i [T] {
        match self {
            Self::Built(rows) => rows,
            Self::InFile(start, size) => {
                let bytes = image.and_then(|image| image.get(*start..)?.get(..*size));
                // Records have no alignment, and `open` made the size a multiple.
                bytemuck::try_cast_slice(bytes.unwrap_or_default()).unwrap_or_default()
            }
        }
    }
}

/// The tables, and what is known of them as a whole.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub(crate) meta: Meta,
    /// Ascending and disjoint in both offsets.
    pub(crate) windows: Column<Window>,
    /// Code offsets where the innermost call level changes, ascending.
    pub(crate) scope_starts: Column<Le32>,
    /// The level from there on: a node, or `NONE`.
    pub(crate) scope_nodes: Column<Le32>,
    /// For each bucket of code offsets, how many scopes start before its end.
    pub(crate) scope_buckets: Column<Le32>,
    /// Code offsets where the line changes, ascending.
    pub(crate) line_starts: Column<Le32>,
    /// The file from there on, or `NONE`.
    pub(crate) line_files: Column<Le32>,
    /// The line from there on; 0 is unknown.
    pub(crate) lines: Column<Le32>,
    /// The column from there on; 0 is unknown. May be left out.
    pub(crate) line_columns: Column<Le16>,
    /// For each bucket, how many lines start before its end.
    pub(crate) line_buckets: Column<Le32>,
    pub(crate) nodes: Column<Node>,
    /// Of inlined calls, the call's column; 0 is unknown. May be left out.
    pub(crate) node_columns: Column<Le16>,
    pub(crate) functions: Column<FunctionRecord>,
    /// Demangled names, as texts. May be left out.
    pub(crate) demangled: Column<Le32>,
    pub(crate) files: Column<FileRecord>,
    pub(crate) strings: Column<u8>,
}

/// A module's flat symbol index.
#[derive(Debug)]
pub(crate) struct Index {
    pub(super) image: Option<Image>,
    pub(super) parts: Parts,
}

macro_rules! columns {
    ($($name:ident: $row:ty),* $(,)?) => {
        impl Index {
            $(#[inline]
            pub(crate) fn $name(&self) -> &[$row] {
                self.parts.$name.get(self.image.as_ref())
            })*
        }
    };
}

columns! {
    windows: Window,
    scope_starts: Le32,
    scope_nodes: Le32,
    scope_buckets: Le32,
    line_starts: Le32,
    line_files: Le32,
    lines: Le32,
    line_columns: Le16,
    line_buckets: Le32,
    nodes: Node,
    node_columns: Le16,
    functions: FunctionRecord,
    demangled: Le32,
    files: FileRecord,
    strings: u8,
}

impl Index {
    /// Takes tables that were just built.
    pub(crate) fn new(parts: Parts) -> Self {
        Self { image: None, parts }
    }

    pub(crate) fn meta(&self) -> &Meta {
        &self.parts.meta
    }

    /// Returns the build ID of the module it describes.
    pub(crate) fn build_id(&self) -> Option<BuildId> {
        self.parts.meta.build_id
    }

    /// Returns the text that starts at `at`.
    #[inline]
    pub(crate) fn text(&self, at: u32) -> Option<&[u8]> {
        strings::get(self.strings(), at)
    }

    /// Returns each table's kind and bytes, in the order of the file.
    pub(crate) fn tables(&self) -> [(Kind, &[u8]); Kind::ALL.len()] {
        Kind::ALL.map(|kind| (kind, self.bytes(kind)))
    }

    fn bytes(&self, kind: Kind) -> &[u8] {
        match kind {
            Kind::Windows => bytemuck::cast_slice(self.windows()),
            Kind::ScopeStarts => bytemuck::cast_slice(self.scope_starts()),
            Kind::ScopeNodes => bytemuck::cast_slice(self.scope_nodes()),
            Kind::ScopeBuckets => bytemuck::cast_slice(self.scope_buckets()),
            Kind::LineStarts => bytemuck::cast_slice(self.line_starts()),
            Kind::LineFiles => bytemuck::cast_slice(self.line_files()),
            Kind::Lines => bytemuck::cast_slice(self.lines()),
            Kind::LineColumns => bytemuck::cast_slice(self.line_columns()),
            Kind::LineBuckets => bytemuck::cast_slice(self.line_buckets()),
            Kind::Nodes => bytemuck::cast_slice(self.nodes()),
            Kind::NodeColumns => bytemuck::cast_slice(self.node_columns()),
            Kind::Functions => bytemuck::cast_slice(self.functions()),
            Kind::Demangled => bytemuck::cast_slice(self.demangled()),
            Kind::Files => bytemuck::cast_slice(self.files()),
            Kind::Strings => self.strings(),
        }
    }
}
