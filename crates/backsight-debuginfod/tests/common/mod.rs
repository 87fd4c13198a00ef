//! A test file, and a server that has it.

#![allow(dead_code, reason = "each test file uses its part")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use backsight_debuginfod::{Client, Ongoing, Options, Progress, Transfer};
use backsight_types::BuildId;
use tempfile::TempDir;
use testkit::elf::{Elf, Note, Shape};
use testkit::http::{Reply, Request, Stub};

/// The only file of the server.
pub(crate) const ID: [u8; 8] = [0x11; 8];

pub(crate) fn id(byte: u8) -> BuildId {
    BuildId::from_bytes(&[byte; 8]).expect("eight bytes")
}

/// Returns an ELF file with this build ID and about this size.
pub(crate) fn elf(id: &[u8], size: usize) -> Vec<u8> {
    let mut file = Elf::new(Shape::ELF64_LITTLE)
        .note_section(".note.gnu.build-id", &[Note::gnu_build_id(id)], 4)
        .build();
    file.resize(file.len().max(size), 0x5a);
    file
}

pub(crate) fn file() -> Vec<u8> {
    elf(&ID, 300_000)
}

/// The answer of a correct server.
pub(crate) fn sound(request: &Request) -> Reply {
    match (
        request.path == format!("/buildid/{}/debuginfo", id(0x11)),
        request.from,
    ) {
        (true, None) => Reply::Content(file()),
        (true, Some(from)) => Reply::Rest(file(), from),
        (false, _) => Reply::Status(404),
    }
}

pub(crate) fn options(cache: &TempDir, servers: &[&Stub]) -> Options {
    let servers = servers
        .iter()
        .map(|stub| stub.url().parse().expect("an address"));
    let mut options = Options::new(cache.path().join("cache")).with_servers(servers.collect());
    // The limit is high because a busy machine may answer late; tests of the limit set
    // their own.
    options.stall_time = Duration::from_secs(30);
    options
}

/// A client, and the result of each attempt.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) client: Client,
    attempts: Arc<Attempts>,
}

#[derive(Debug, Default)]
struct Attempts(Mutex<Vec<Transfer>>);

impl Progress for Attempts {
    fn advanced(&self, _: &Ongoing<'_>) {}

    fn ended(&self, transfer: &Transfer) {
        self.0.lock().expect("nobody panics").push(transfer.clone());
    }
}

impl Watched {
    pub(crate) fn new(options: Options) -> Self {
        let attempts = Arc::new(Attempts::default());
        let options = options.with_progress(attempts.clone());
        let client = Client::new(options).expect("a cache");
        Self { client, attempts }
    }

    pub(crate) fn attempts(&self) -> Vec<Transfer> {
        self.attempts.0.lock().expect("nobody panics").clone()
    }
}
