//! The list of symbols that a running kernel prints, `/proc/kallsyms`.
//!
//! ```text
//!   ffffffff81000000 T _text
//!   ffffffffc0201000 t veth_xmit<TAB>[veth]
//!   ffffffffc0301000 t bpf_prog_6deef7357e7b4530_count<TAB>[bpf]
//!   ffffffffc0401000 t ftrace_trampoline<TAB>[__builtin__ftrace]
//! ```
//!
//! The addresses are valid for one boot: with KASLR, the image and its modules have other
//! addresses after the next one. The caller must use addresses of the same boot, or
//! offsets from [`Kallsyms::text`].
//!
//! The list has no sizes: a function extends to the next symbol. If an address has
//! several names, the one that `perf` prefers is used (`tools/perf/util/symbol.c`), as
//! far as the list has the data: code before data, then not weak, then global, then with
//! the fewest underscores, then the longest.
//!
//! Source: `kernel/kallsyms.c`.

mod error;
mod line;
mod lines;
mod packed_symbol;
mod table;

pub use error::KallsymsError;
pub use table::{Kallsyms, KernelCode, KernelSymbol};
