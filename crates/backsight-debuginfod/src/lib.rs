//! Fetches debug files and executables by build ID from debuginfod servers.
//!
//! A [`Client`] is a [`Fetch`](backsight_symbolize::Fetch): a symbolizer uses it for
//! files that no directory has. Its transfers are bounded in bytes and time. Each file
//! has the requested build ID, and is kept in a cache directory.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use backsight_debuginfod::{Client, Options, Server};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server: Server = "https://debuginfod.debian.net".parse()?;
//! let client = Arc::new(Client::new(Options::new("/var/cache/agent").with_servers(vec![server]))?);
//! let options = backsight_symbolize::Options::default().with_fetchers(vec![client.clone()]);
//! let symbolizer = backsight_symbolize::Symbolizer::new(options);
//! // … lookups …
//! for transfer in client.transfers() {
//!     println!("{transfer}");
//! }
//! # drop(symbolizer);
//! # Ok(())
//! # }
//! ```
//!
//! No environment variable enables it: requests are made only by a client that the
//! program creates. [`servers_in`] parses the list of the variable `DEBUGINFOD_URLS`.
//!
//! It does not fetch single sections of a file (`/section/NAME`). Source files
//! ([`Client::source`]) carry no build ID, so a server is trusted to send the right one. It does
//! not check signatures (`ima:` in `DEBUGINFOD_URLS`): a server is trusted not to send
//! another file with the same build ID note.
//!
//! The protocol is that of debuginfod(8): `GET SERVER/buildid/ID/debuginfo`,
//! `/executable` and `/source/PATH`; 404 if a server does not have it.

#![forbid(unsafe_code)]
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

mod absences;
mod cache;
mod client;
mod download;
mod fault;
mod file_kind;
mod options;
mod partial;
mod progress;
mod refusals;
mod server;
mod server_health;
mod slots;
mod transfer;
mod transfers;
mod wanted_file;

pub use client::Client;
pub use fault::FetchFault;
pub use file_kind::FileKind;
pub use options::Options;
pub use progress::{Ongoing, Progress};
pub use server::{NotAServer, Server, servers_in};
pub use transfer::{Transfer, TransferOutcome};

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
