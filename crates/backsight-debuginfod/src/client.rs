//! A client of debuginfod servers.

use std::collections::HashSet;
use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use backsight_elf::Headers;
use backsight_symbolize::{Fetch, FetchError, Fetched, SoughtKind, Wanted};
use backsight_types::BuildId;
use ureq::Agent;

use crate::cache::{Cache, CacheEntry};
use crate::download::{self, Answer, Cost, Download};
use crate::fault::Fault;
use crate::file_kind::FileKind;
use crate::options::Options;
use crate::partial::Partial;
use crate::server::Server;
use crate::server_health::ServerHealth;
use crate::slots::Slots;
use crate::transfer::{Outcome, Transfer};

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
    transfers: Mutex<Vec<Transfer>>,
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
    /// [`Fault::Cache`] and [`Fault::CacheOfOthers`] for a cache directory that cannot be
    /// used.
    pub fn new(options: Options) -> Result<Self, Fault> {
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
            transfers: Mutex::new(Vec::new()),
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
    pub fn get(&self, id: &BuildId, kind: FileKind) -> Result<Option<(File, PathBuf)>, Fault> {
        self.get_if(id, kind, true)
    }

    /// Returns what came of each file that was asked for, in the order in which they ended.
    #[must_use]
    pub fn transfers(&self) -> Vec<Transfer> {
        let transfers = self.transfers.lock();
        transfers.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns a file, from the cache alone unless it is `worth_asking` for.
    fn get_if(
        &self,
        id: &BuildId,
        kind: FileKind,
        worth_asking: bool,
    ) -> Result<Option<(File, PathBuf)>, Fault> {
        let began = Instant::now();
        let entry = self.cache.entry(id, kind);
        let mut cost = Cost::default();
        let outcome = self.outcome(&entry, id, kind, worth_asking, &mut cost);
        self.note(Transfer {
            build_id: *id,
            kind,
            received_bytes: cost.received_bytes,
            requests: cost.requests,
            elapsed: began.elapsed(),
            outcome: outcome.clone(),
        });
        match outcome {
            Outcome::Failed(_, fault) => Err(fault),
            _ => Ok(entry.open().map(|file| (file, entry.path().to_owned()))),
        }
    }

    fn outcome(
        &self,
        entry: &CacheEntry,
        id: &BuildId,
        kind: FileKind,
        worth_asking: bool,
        cost: &mut Cost,
    ) -> Outcome {
        if entry.open().is_some() {
            return Outcome::Cached;
        }
        if self.options.offline {
            return Outcome::Offline;
        }
        if !worth_asking {
            return Outcome::LeftOut;
        }
        let lock = match entry.lock() {
            Ok(lock) => lock,
            Err(fault) => return Outcome::Failed(None, fault),
        };
        // Somebody else may have asked while this waited.
        let outcome = match (entry.open(), entry.is_known_absent(self.options.absent_for)) {
            (Some(_), _) => Outcome::Cached,
            (None, true) => Outcome::KnownAbsent,
            (None, false) => self.ask_all(entry, id, kind, cost),
        };
        drop(lock);
        outcome
    }

    /// Asks one server after the other.
    fn ask_all(
        &self,
        entry: &CacheEntry,
        id: &BuildId,
        kind: FileKind,
        cost: &mut Cost,
    ) -> Outcome {
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
                    self.cache.trim(self.options.cache_bytes, entry);
                    return Outcome::Fetched(asked.server.clone());
                }
                Ok(Answer::Absent) => {}
                Err(fault) => failed = Some((asked.server.clone(), fault)),
            }
        }
        drop(slot);
        match failed {
            Some((server, fault)) => Outcome::Failed(Some(server), fault),
            None => match entry.note_absent() {
                Ok(()) => Outcome::Absent,
                Err(fault) => Outcome::Failed(None, fault),
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
    ) -> Result<Answer, Fault> {
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
                let headers = Headers::read(partial.rewound()?);
                if headers.is_ok_and(|headers| headers.build_id == Some(*id)) {
                    partial.finish(entry.path())?;
                    return Ok(Answer::Whole);
                }
                partial.remove();
                Err(Fault::WrongBuildId)
            }
            answer => {
                // Of an endless answer nothing is worth keeping.
                if partial.have() == 0 || matches!(answer, Err(Fault::TooLarge { .. })) {
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
        transfers
            .unwrap_or_else(PoisonError::into_inner)
            .push(transfer);
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
