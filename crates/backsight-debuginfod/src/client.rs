//! A client of debuginfod servers.

use std::collections::HashSet;
use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use backsight_elf::{ElfContents, ReadError};
use backsight_symbolize::{Fetch, FetchError, Fetched, SoughtKind, Wanted};
use backsight_types::BuildId;
use ureq::Agent;

use crate::absences::Absences;
use crate::cache::{Cache, CacheEntry, Kept};
use crate::download::{self, Answer, Cost, Download};
use crate::fault::FetchFault;
use crate::file_kind::FileKind;
use crate::options::Options;
use crate::partial::Partial;
use crate::refusals::Refusals;
use crate::server::Server;
use crate::server_health::ServerHealth;
use crate::slots::Slots;
use crate::transfer::{Transfer, TransferOutcome};
use crate::transfers::Transfers;
use crate::wanted_file::WantedFile;

/// After this many new markers of absent files, old markers are removed.
const MARKERS_BETWEEN_TRIMS: usize = 64;

/// A client of debuginfod servers, for concurrent use by many threads.
///
/// Only one thread, of all processes with the same cache, requests a file at a time; the
/// others wait for it.
#[derive(Debug)]
pub struct Client {
    options: Options,
    servers: Vec<ServerState>,
    cache: Cache,
    slots: Slots,
    spent: AtomicU64,
    only: Mutex<Option<HashSet<BuildId>>>,
    transfers: Mutex<Transfers>,
    /// The number of files and markers that were added to the cache.
    added: AtomicUsize,
}

#[derive(Debug)]
struct ServerState {
    server: Server,
    agent: Agent,
    health: ServerHealth,
    refusals: Refusals,
}

impl Client {
    /// Creates a client. This makes no requests and creates no directories.
    ///
    /// # Errors
    /// [`FetchFault::Cache`] and [`FetchFault::CacheOfOthers`] for a cache directory that cannot be
    /// used.
    pub fn new(options: Options) -> Result<Self, FetchFault> {
        let servers = options.servers.iter().cloned();
        let states = servers.map(|server| ServerState {
            agent: download::agent(&options, &server),
            server,
            health: ServerHealth::default(),
            refusals: Refusals::default(),
        });
        Ok(Self {
            servers: states.collect(),
            cache: Cache::new(options.cache_dir.clone())?,
            slots: Slots::new(options.transfers_at_once),
            spent: AtomicU64::new(0),
            only: Mutex::new(None),
            transfers: Mutex::default(),
            added: AtomicUsize::new(0),
            options,
        })
    }

    /// From now on, requests only files of these modules from servers. Files of other
    /// modules are used only from the cache.
    pub fn ask_only_for(&self, modules: impl IntoIterator<Item = BuildId>) {
        let mut only = self.only.lock().unwrap_or_else(PoisonError::into_inner);
        *only = Some(modules.into_iter().collect());
    }

    /// Returns a file, open for reading, and its path in the cache; `None` if no server
    /// has it.
    ///
    /// # Errors
    /// Why it could not be fetched, although a server may have it.
    pub fn get(&self, id: &BuildId, kind: FileKind) -> Result<Option<(File, PathBuf)>, FetchFault> {
        match kind {
            // A source file has a path, too.
            FileKind::Source => Ok(None),
            _ => self.get_if(id, &WantedFile::of_kind(kind), true),
        }
    }

    /// Returns a source file of the program with this build ID, by its absolute path in the debug
    /// information, and its path in the cache; `None` if no server has it, the path is not
    /// absolute, or is too long for a name in the cache. Nothing in the file proves that it is the
    /// right one.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn source(&self, id: &BuildId, path: &str) -> Result<Option<(File, PathBuf)>, FetchFault> {
        match WantedFile::of_source(path) {
            Some(wanted) => self.get_if(id, &wanted, true),
            None => Ok(None),
        }
    }

    /// Returns the result of each file so far, in the order in which they were first
    /// requested: the requests, bytes and times of all attempts, and the outcome of the
    /// last. [`Options::progress`] gets each attempt.
    #[must_use]
    pub fn transfers(&self) -> Vec<Transfer> {
        let transfers = self.transfers.lock();
        let transfers = transfers.unwrap_or_else(PoisonError::into_inner);
        transfers.list().to_vec()
    }

    /// Returns its options.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Returns a file, from the cache or, if `use_servers`, from a server.
    fn get_if(
        &self,
        id: &BuildId,
        wanted: &WantedFile,
        use_servers: bool,
    ) -> Result<Option<(File, PathBuf)>, FetchFault> {
        let began = Instant::now();
        let entry = self.cache.entry(id, wanted);
        let mut cost = Cost::default();
        let (outcome, file) = self.obtain(&entry, id, wanted, use_servers, &mut cost);
        let transfer = Transfer {
            build_id: *id,
            kind: wanted.kind,
            source: wanted.source.clone(),
            received_bytes: cost.received_bytes,
            requests: cost.requests,
            elapsed: began.elapsed(),
            outcome,
        };
        let failed = match &transfer.outcome {
            TransferOutcome::Failed(_, fault) => Some(fault.clone()),
            _ => None,
        };
        self.note(transfer);
        match failed {
            Some(fault) => Err(fault),
            None => Ok(file.map(|file| (file, entry.path().to_owned()))),
        }
    }

    fn obtain(
        &self,
        entry: &CacheEntry,
        id: &BuildId,
        wanted: &WantedFile,
        use_servers: bool,
        cost: &mut Cost,
    ) -> (TransferOutcome, Option<File>) {
        let is_damaged = match entry.open() {
            Kept::Sound(file) => return (TransferOutcome::Cached, Some(file)),
            Kept::Damaged => true,
            Kept::Nothing => false,
        };
        if is_damaged && (self.options.offline || !use_servers || self.servers.is_empty()) {
            let fault = FetchFault::Damaged(entry.path().to_owned());
            return (TransferOutcome::Failed(None, fault), None);
        }
        if self.options.offline {
            return (TransferOutcome::Offline, None);
        }
        if !use_servers {
            return (TransferOutcome::LeftOut, None);
        }
        let lock = match self.cache.lock(entry) {
            Ok(lock) => lock,
            Err(fault) => return (TransferOutcome::Failed(None, fault), None),
        };
        // Another thread or process may have fetched it meanwhile.
        match entry.open() {
            Kept::Sound(file) => return (TransferOutcome::Cached, Some(file)),
            Kept::Damaged => {
                if let Err(fault) = entry.discard() {
                    return (TransferOutcome::Failed(None, fault), None);
                }
            }
            Kept::Nothing => {}
        }
        let outcome = self.ask_all(entry, id, wanted, cost);
        let file = match (&outcome, entry.open()) {
            (TransferOutcome::Fetched(_), Kept::Sound(file)) => Some(file),
            _ => None,
        };
        self.trim(file.is_some());
        drop(lock);
        (outcome, file)
    }

    /// Trims the cache after each file, and occasionally after markers.
    fn trim(&self, has_file: bool) {
        let added = self.added.fetch_add(1, Ordering::Relaxed);
        if has_file || added.is_multiple_of(MARKERS_BETWEEN_TRIMS) {
            let Options {
                cache_bytes,
                absent_for,
                ..
            } = self.options;
            self.cache.trim(cache_bytes, absent_for);
        }
    }

    /// Requests the file from one server after the other.
    fn ask_all(
        &self,
        entry: &CacheEntry,
        id: &BuildId,
        wanted: &WantedFile,
        cost: &mut Cost,
    ) -> TransferOutcome {
        let mut absences = Absences::read(entry.absent(), self.options.absent_for);
        let is_known = |state: &&ServerState| absences.has(&state.server);
        let (known, asked): (Vec<_>, Vec<_>) = self.servers.iter().partition(is_known);
        if asked.is_empty() && !known.is_empty() {
            return TransferOutcome::KnownAbsent;
        }
        let slot = self.slots.take();
        let mut failed = None;
        let mut is_absent = false;
        for state in asked {
            let answer = state.health.check(self.options.server_failures);
            let answer = answer.and_then(|()| {
                let refused = state.refusals.of(id, wanted, self.options.absent_for);
                if let Some(fault) = refused {
                    return Err(fault);
                }
                let answer = self.ask(state, entry, id, wanted, cost);
                state.refusals.note(id, wanted, &answer);
                state.health.note(&answer);
                answer
            });
            match answer {
                Ok(Answer::Whole) => {
                    Absences::remove(&entry.absent());
                    return TransferOutcome::Fetched(state.server.clone());
                }
                Ok(Answer::Absent) => {
                    absences.add(&state.server);
                    is_absent = true;
                }
                Err(fault) => failed = Some((state.server.clone(), fault)),
            }
        }
        drop(slot);
        let written = match is_absent {
            true => absences.write(),
            false => Ok(()),
        };
        match (failed, written) {
            (Some((server, fault)), _) => TransferOutcome::Failed(Some(server), fault),
            (None, Err(fault)) => TransferOutcome::Failed(None, fault),
            (None, Ok(())) => TransferOutcome::Absent,
        }
    }

    fn ask(
        &self,
        state: &ServerState,
        entry: &CacheEntry,
        id: &BuildId,
        wanted: &WantedFile,
        cost: &mut Cost,
    ) -> Result<Answer, FetchFault> {
        let mut partial = Partial::open(entry.path(), &state.server)?;
        let download = Download {
            agent: &state.agent,
            server: &state.server,
            options: &self.options,
            id,
            wanted,
            spent: &self.spent,
        };
        match download.run(&mut partial, cost) {
            // Source files carry no build ID.
            Ok(Answer::Whole) if wanted.kind == FileKind::Source => {
                partial.finish(entry.path())?;
                Ok(Answer::Whole)
            }
            Ok(Answer::Whole) => {
                let build_id = match ElfContents::read(partial.rewound()?) {
                    Ok(contents) => contents.build_id,
                    Err(ReadError::Io(error)) => return Err(partial.failed("read", error)),
                    Err(_) => None,
                };
                if build_id == Some(*id) {
                    partial.finish(entry.path())?;
                    return Ok(Answer::Whole);
                }
                partial.remove();
                Err(FetchFault::WrongBuildId)
            }
            answer => {
                // Nothing of an endless answer is worth keeping.
                if partial.have() == 0 || matches!(answer, Err(FetchFault::TooLarge { .. })) {
                    partial.remove();
                }
                answer
            }
        }
    }

    fn is_wanted(&self, module: &BuildId) -> bool {
        let only = self.only.lock().unwrap_or_else(PoisonError::into_inner);
        only.as_ref().is_none_or(|only| only.contains(module))
    }

    fn note(&self, transfer: Transfer) {
        if let Some(progress) = &self.options.progress {
            progress.ended(&transfer);
        }
        let transfers = self.transfers.lock();
        let mut transfers = transfers.unwrap_or_else(PoisonError::into_inner);
        transfers.add(transfer);
    }
}

impl Fetch for Client {
    fn fetch(&self, wanted: &Wanted<'_>) -> Result<Option<Fetched>, FetchError> {
        let Some(kind) = FileKind::of(wanted.kind) else {
            return Ok(None);
        };
        // A supplementary file is needed only if the debug file is available already.
        let use_servers =
            wanted.kind == SoughtKind::Supplementary || self.is_wanted(wanted.build_id);
        match self.get_if(wanted.build_id, &WantedFile::of_kind(kind), use_servers) {
            Ok(found) => Ok(found.map(|(file, path)| Fetched::new(file, path))),
            Err(fault) => Err(FetchError::new(
                format!("debuginfod/{}/{kind}", wanted.build_id),
                fault.to_string(),
            )),
        }
    }
}
