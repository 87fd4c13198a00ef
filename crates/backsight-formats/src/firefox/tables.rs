//! The tables, stored as columns.

use serde::Serialize;

/// Declares a table to which rows are added, and which is written as its length and its columns.
macro_rules! table {
    ($(#[$doc:meta])* $table:ident of $row:ident {
        $($(#[$column_doc:meta])* $column:ident: $type:ty = $name:literal,)*
    }) => {
        $(#[$doc])*
        #[derive(Debug, Default, Serialize)]
        pub(super) struct $table {
            length: usize,
            $(#[serde(rename = $name)] $column: Vec<$type>,)*
        }

        #[derive(Clone, Copy, Debug)]
        pub(super) struct $row {
            $($(#[$column_doc])* pub(super) $column: $type,)*
        }

        impl $table {
            /// Returns the number of rows.
            #[allow(dead_code, reason = "not each table is asked")]
            pub(super) fn len(&self) -> usize {
                self.length
            }

            /// Adds a row, and returns its index.
            pub(super) fn push(&mut self, row: $row) -> usize {
                let at = self.length;
                self.length = at.saturating_add(1);
                $(self.$column.push(row.$column);)*
                at
            }
        }
    };
}

table! {
    /// A call level at an address.
    FrameTable of FrameRow {
        /// −1 if the library is unknown.
        address: i64 = "address",
        inline_depth: u32 = "inlineDepth",
        category: u32 = "category",
        subcategory: u32 = "subcategory",
        func: usize = "func",
        native_symbol: Option<usize> = "nativeSymbol",
        window: u32 = "innerWindowID",
        line: Option<u32> = "line",
        column: Option<u32> = "column",
        /// Where a source map says it is from.
        original: Option<usize> = "originalLocation",
    }
}

table! {
    /// A function.
    FuncTable of FuncRow {
        name: usize = "name",
        is_js: bool = "isJS",
        relevant_for_js: bool = "relevantForJS",
        /// −1 if the library is unknown.
        resource: i64 = "resource",
        source: Option<usize> = "source",
        line: Option<u32> = "lineNumber",
        column: Option<u32> = "columnNumber",
        /// Where a source map says it is from.
        original: Option<usize> = "originalLocation",
    }
}

table! {
    /// A library that functions refer to.
    ResourceTable of ResourceRow {
        lib: usize = "lib",
        name: usize = "name",
        host: Option<usize> = "host",
        /// 1 means library.
        kind: u32 = "type",
    }
}

table! {
    /// A function that is not inlined.
    NativeSymbols of NativeSymbolRow {
        address: u64 = "address",
        size: Option<u64> = "functionSize",
        lib: usize = "libIndex",
        name: usize = "name",
    }
}

table! {
    /// A frame, and the stack of its caller.
    StackTable of StackRow {
        /// How many rows before this one the stack of the caller is; 0 if there is none.
        prefix_offset: usize = "prefixOffset",
        frame: usize = "frame",
    }
}

table! {
    /// A source file.
    SourceTable of SourceRow {
        id: Option<usize> = "id",
        file: usize = "filename",
        start_line: u32 = "startLine",
        start_column: u32 = "startColumn",
        map: Option<usize> = "sourceMapURL",
        content: Option<usize> = "content",
    }
}

/// The table of the places that source maps lead to, which is required and always empty.
#[derive(Debug, Default, Serialize)]
pub(super) struct SourceLocations {
    length: u32,
    source: [(); 0],
    line: [(); 0],
    column: [(); 0],
}

/// The tables that all threads refer to.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SharedJson {
    pub(super) stack_table: StackTable,
    pub(super) frame_table: FrameTable,
    pub(super) func_table: FuncTable,
    pub(super) resource_table: ResourceTable,
    pub(super) native_symbols: NativeSymbols,
    pub(super) sources: SourceTable,
    pub(super) source_location_table: SourceLocations,
    pub(super) string_array: Vec<String>,
}

/// The samples of a thread, by time.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SampleTable {
    pub(super) length: usize,
    pub(super) weight_type: &'static str,
    pub(super) stack: Vec<Option<usize>>,
    /// Milliseconds since the previous sample; for the first, since the first sample of the
    /// profile.
    pub(super) time_deltas: Vec<f64>,
    pub(super) weight: Vec<Weight>,
    /// Microseconds of processor time since the previous sample. Without it, the page takes the
    /// thread to have run at each sample.
    #[serde(rename = "threadCPUDelta", skip_serializing_if = "Option::is_none")]
    pub(super) thread_cpu_delta: Option<Vec<Option<u64>>>,
}

/// The weight of a sample.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Weight {
    Count(i64),
    Milliseconds(f64),
}

/// The table of markers, which is required and always empty.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Markers {
    length: u32,
    category: [(); 0],
    data: [(); 0],
    end_time: [(); 0],
    name: [(); 0],
    phase: [(); 0],
    start_time: [(); 0],
}

/// A thread and its samples.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ThreadJson {
    pub(super) markers: Markers,
    pub(super) name: String,
    pub(super) is_main_thread: bool,
    pub(super) paused_ranges: [(); 0],
    pub(super) pid: String,
    pub(super) process_name: String,
    pub(super) process_shutdown_time: Option<f64>,
    pub(super) process_startup_time: f64,
    pub(super) process_type: &'static str,
    pub(super) register_time: f64,
    pub(super) samples: SampleTable,
    pub(super) tid: String,
    pub(super) unregister_time: Option<f64>,
    pub(super) show_markers_in_timeline: bool,
}
