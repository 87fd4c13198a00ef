//! Normalization: addresses of a process to files and offsets.

mod batches;
mod own;
mod tool;

use benches::command::Row;

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
        id: "N6",
        measures: "10,000 unsorted addresses in 100 modules, one-shot",
        run: batches::n6,
    },
    Row {
        id: "N7",
        measures: "N6 in a warm session, trusted and re-checked",
        run: batches::n7,
    },
];
