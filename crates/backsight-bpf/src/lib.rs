//! Reads where the functions and source lines of the loaded BPF programs are.
//!
//! ```text
//!   BPF_PROG_GET_NEXT_ID ──▶ BPF_PROG_GET_FD_BY_ID ──▶ BPF_OBJ_GET_INFO_BY_FD ──▶ functions, lines
//!                            BPF_BTF_GET_FD_BY_ID  ──▶ BPF_OBJ_GET_INFO_BY_FD ──▶ names of files
//! ```
//!
//! A program in machine code is in no file, and lasts as long as somebody holds it. So its lines
//! can only be had on the host, and while it is loaded.
//!
//! The kernel wants `CAP_SYS_ADMIN` for this, and `CAP_SYSLOG` for the addresses.

#![deny(unsafe_code)]
#![warn(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod loaded;
#[expect(
    unsafe_code,
    reason = "bpf(2), and descriptors that it returns as numbers"
)]
mod sys;

pub use loaded::{LoadedPrograms, loaded_programs};
