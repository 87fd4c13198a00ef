//! Lines of BPF programs, which are in no file: the kernel keeps them from when a program is
//! loaded.
//!
//! ```text
//!   jited_line_info ──▶ line_info ──▶ strings of the BTF
//!   address             line, column    file
//! ```
//!
//! Source: `kernel/bpf/syscall.c` (`bpf_prog_get_info_by_fd`), `include/uapi/linux/btf.h`.

mod btf;
mod lines;

pub use lines::{BpfLines, BpfSource};
