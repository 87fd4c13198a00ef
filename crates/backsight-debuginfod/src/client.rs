//! A client of debuginfod servers.

use std::collections::HashSet;
use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use backsight_elf::{Headers, ReadError};
use backsight_symbolize::{Fetch, FetchError, Fetched, SoughtKind, Wanted};
use backsight_types::BuildId;
use ureq::Agent;

use crate::cache::{Cache, CacheEntry};
use crate::download::{self, Answer, Cost, Download};
use crate::fault::FetchFault;
use crate::file_kind::FileKind;
use crate::options::Options;
use crate::partial::Partial;
use crate::server::Server;
use crate::server_health::ServerHealth;
use crate::slots::Slots;
use crate::transfer::{Transfer, TransferOutcome};
use crate::transfers::Transfers;

/// So many files that no server has are noted before old notes are looked for.
const NOTES_BETWEEN_TRIMS: usize = 64;

/// A client of debuginfod servers, for many threads at once.
///
/// A file is asked for by one of them (and one process with the same cache) at a time; the
/// others wait for it.
#[derive(Debug)]
pub struct Client {
    options: Options,
    asked: Vec<AskedServer>,
    cache: Cache,
    slots: Slots,
    spent: AtomicU64,
    only: Mutex<Option<HashSet<BuildId>>>,
    transfers: Mutex<Transfers>,
    /// Files and notes that were added to the cache.
    added: AtomicUsize,
}

#[derive(Debug)]
struct AskedServer {
    server: Server,
    agent: Agent,
    health: ServerHealth,
}

impl Client {
    /// Makes a client. It makes no request and no directory yet.
    ///
    /// # Errors
    /// [`FetchFault::Cache`] and [`FetchFault::CacheOfOthers`] for a cache directory that cannot be
    /// used.
    pub fn new(options: Options) -> Result<Self, FetchFault> {
        let servers = options.servers.iter().cloned();
        let asked = servers.map(|server| AskedServer {
            agent: download::agent(&options, &server),
            server,
            health: ServerHealth::default(),
        });
        Ok(Self {
            asked: asked.collect(),
            cache: Cache::new(options.cache_dir.clone())?,
            slots: Slots::new(options.transfers_at_once),
            spent: AtomicU64::new(0),
            only: Mutex::new(None),
            transfers: Mutex::default(),
            added: AtomicUsize::new(0),
            options,
        })
    }

    /// From now on, asks servers for the files of these modules alone: those that are worth a
    /// request. Files of others are taken from the cache.
    pub fn ask_only_for(&self, modules: impl IntoIterator<Item = BuildId>) {
        let mut only = self.only.lock().unwrap_or_else(PoisonError::into_inner);
        *only = Some(modules.into_iter().collect());
    }

    /// Returns a file, open for reading, and where it is kept; `None` when no server has it.
    ///
    /// # Errors
    /// Why it could not be had, though a server may have it.
    pub fn get(&self, id: &BuildId, kind: FileKind) -> Result<Option<(File, PathBuf)>, FetchFault> {
        self.get_if(id, kind, true)
    }

    /// Returns what came of each file so far, in the order in which they were first asked for:
    /// the requests, bytes and times of all attempts, and the outcome of the last. Each attempt
    /// is told to [`Options::progress`].
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

    /// Returns a file, from the cache alone unless it is `worth_asking` for.
    fn get_if(
        &self,
        id: &BuildId,
        kind: FileKind,
        worth_asking: bool,
    ) -> Result<Option<(File, PathBuf)>, FetchFault> {
        let began = Instant::now();
        let entry = self.cache.entry(id, kind);
        let mut cost = Cost::default();
        let (outcome, file) = self.obtain(&entry, id, kind, worth_asking, &mut cost);
        let transfer = Transfer {
            build_id: *id,
            kind,
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
        kind: FileKind,
        worth_asking: bool,
        cost: &mut Cost,
    ) -> (TransferOutcome, Option<File>) {
        if let Some(file) = entry.open() {
            return (TransferOutcome::Cached, Some(file));
        }
        if self.options.offline {
            return (TransferOutcome::Offline, None);
        }
        if !worth_asking {
            return (TransferOutcome::LeftOut, None);
        }
        let lock = match self.cache.lock(entry) {
            Ok(lock) => lock,
            Err(fault) => return (TransferOutcome::Failed(None, fault), None),
        };
        // Somebody else may have asked while this waited.
        if let Some(file) = entry.open() {
            return (TransferOutcome::Cached, Some(file));
        }
        if entry.is_known_absent(self.options.absent_for) {
            return (TransferOutcome::KnownAbsent, None);
        }
        let outcome = self.ask_all(entry, id, kind, cost);
        let file = match outcome {
            TransferOutcome::Fetched(_) => entry.open(),
            _ => None,
        };
        self.trim(file.is_some());
        drop(lock);
        (outcome, file)
    }

    /// Trims the cache after each file, and now and then of notes.
    fn trim(&self, has_file: bool) {
        let added = self.added.fetch_add(1, Ordering::Relaxed);
        if has_file || added.is_multiple_of(NOTES_BETWEEN_TRIMS) {
            let Options {
                cache_bytes,
                absent_for,
                ..
            } = self.options;
            self.cache.trim(cache_bytes, absent_for);
        }
    }

    /// Asks one server after the other.
    fn ask_all(
        &self,
        entry: &CacheEntry,
        id: &BuildId,
        kind: FileKind,
        cost: &mut Cost,
    ) -> TransferOutcome {
        let slot = self.slots.take();
        let mut failed = None;
        for asked in &self.asked {
            let answer = asked.health.check(self.options.server_failures);
            let answer = answer.and_then(|()| {
                let answer = self.ask(asked, entry, id, kind, cost);
                asked.health.note(&answer);
                answer
            });
            match answer {
                Ok(Answer::Whole) => {
                    entry.note_present();
                    return TransferOutcome::Fetched(asked.server.clone());
                }
                Ok(Answer::Absent) => {}
                Err(fault) => failed = Some((asked.server.clone(), fault)),
            }
        }
        drop(slot);
        match failed {
            Some((server, fault)) => TransferOutcome::Failed(Some(server), fault),
            None => match entry.note_absent() {
                Ok(()) => TransferOutcome::Absent,
                Err(fault) => TransferOutcome::Failed(None, fault),
            },
        }
    }

    fn ask(
        &self,
        asked: &AskedServer,
        entry: &CacheEntry,
        id: &BuildId,
        kind: FileKind,
        cost: &mut Cost,
    ) -> Result<Answer, FetchFault> {
        let mut partial = Partial::open(entry.path(), &asked.server)?;
        let download = Download {
            agent: &asked.agent,
            server: &asked.server,
            options: &self.options,
            id,
            kind,
            spent: &self.spent,
        };
        match download.run(&mut partial, cost) {
            Ok(Answer::Whole) => {
                let build_id = match Headers::read(partial.rewound()?) {
                    Ok(headers) => headers.build_id,
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
                // Of an endless answer nothing is worth keeping.
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
        // A supplementary file is wanted where the debug file is here already.
        let worth_asking =
            wanted.kind == SoughtKind::Supplementary || self.is_wanted(wanted.build_id);
        match self.get_if(wanted.build_id, kind, worth_asking) {
            Ok(found) => Ok(found.map(|(file, path)| Fetched::new(file, path))),
            Err(fault) => Err(FetchError::new(
                format!("debuginfod/{}/{kind}", wanted.build_id),
                fault.to_string(),
            )),
        }
    }
}
