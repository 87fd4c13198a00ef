//! The list of symbols that a running kernel prints, `/proc/kallsyms`.
//!
//! ```text
//!   ffffffff81000000 T _text
//!   ffffffffc0201000 t veth_xmit<TAB>[veth]
//!   ffffffffc0301000 t bpf_prog_6deef7357e7b4530_count<TAB>[bpf]
//!   ffffffffc0401000 t ftrace_trampoline<TAB>[__builtin__ftrace]
//! ```
//!
//! The addresses are those of one boot: with KASLR, the image and its modules are elsewhere
//! after the next one. The caller makes sure that its addresses are of the same boot, or
//! counts from [`Kallsyms::text`].
//!
//! The list has no sizes: a function extends to the next symbol. Of several names for one
//! address the one is taken that `perf` takes (`tools/perf/util/symbol.c`), as far as the
//! list has what it looks at: code before data, not weak, global, with few underscores, long.
//!
//! Source: `kernel/kallsyms.c`.

mod error;
mod line;
mod lines;
mod packed_symbol;
mod table;

pub use error::KallsymsError;
pub use table::{Kallsyms, KernelCode, KernelSymbol};
