//! Normalization: addresses of a process to modules and offsets.

mod allocations;
mod batches;
mod large;
mod mixed;
mod own;
mod text;
mod tool;
mod walk;

use benches::command::Row;

pub(crate) use batches::alike;

pub(crate) const ROWS: &[Row] = &[
    Row {
        id: "N1",
        measures: "one-shot: 5 sorted addresses of this process; open, query, close",
        run: own::n1,
    },
    Row {
        id: "N2",
        measures: "N1 in a session that knows the modules and asks about each VMA again",
        run: own::n2,
    },
    Row {
        id: "N3",
        measures: "N2 with build IDs",
        run: own::n3,
    },
    Row {
        id: "N4",
        measures: "the tool's batch: 3,244 addresses in 5 VMAs of a process of 659, one-shot",
        run: tool::n4,
    },
    Row {
        id: "N5",
        measures: "all executable VMAs with a file, named: perf's pattern",
        run: walk::n5,
    },
    Row {
        id: "N6",
        measures: "10,000 unsorted addresses in 100 modules, one-shot",
        run: batches::n6,
    },
    Row {
        id: "N7",
        measures: "N6 in a warm session, trusted and re-checked",
        run: batches::n7,
    },
    Row {
        id: "N8",
        measures: "by text: 5 addresses, one-shot",
        run: text::n8,
    },
    Row {
        id: "N9",
        measures: "heap allocations of a warm session",
        run: allocations::n9,
    },
    Row {
        id: "N10",
        measures: "200 addresses in 10 VMAs of a process of 20,000, one-shot",
        run: large::n10,
    },
    Row {
        id: "N11",
        measures: "addresses in JIT memory, vdso, stack, holes and data, one-shot",
        run: mixed::n11,
    },
];
