//! The flag for debuginfod servers, and what is said of them.

use std::collections::HashMap;
use std::env;
use std::sync::{Arc, Mutex, PoisonError};

use backsight_debuginfod::{
    Client, FileKind, Ongoing, Options, Progress, Server, Transfer, TransferOutcome, servers_in,
};
use backsight_types::BuildId;
use indicatif::ProgressBar;

use crate::failure::complain;
use crate::fetch_cache::{FetchCache, ServerTimes};
use crate::file_counts::file_counts;
use crate::progress;

/// The variable that lists servers, for those who ask for them.
const SERVERS_VARIABLE: &str = "DEBUGINFOD_URLS";

/// A server that was named, or the list of the environment.
#[derive(Clone, Debug)]
pub(crate) enum NamedServers {
    Server(Server),
    Environment,
}

pub(crate) fn parse_named(text: &str) -> Result<NamedServers, String> {
    match text {
        "" => Ok(NamedServers::Environment),
        url => url
            .parse()
            .map(NamedServers::Server)
            .map_err(|why: backsight_debuginfod::NotAServer| why.to_string()),
    }
}

/// Returns a client of these servers.
pub(crate) fn make(named: &[NamedServers], cache: &FetchCache) -> Result<Client, String> {
    let mut servers = Vec::new();
    for named in named {
        match named {
            NamedServers::Server(server) => servers.push(server.clone()),
            NamedServers::Environment => {
                let list = env::var(SERVERS_VARIABLE).unwrap_or_default();
                let listed = servers_in(&list);
                servers.extend(listed.map_err(|why| format!("{SERVERS_VARIABLE}: {why}"))?);
            }
        }
    }
    if servers.is_empty() && !cache.offline {
        return Err(format!(
            "it names no server: give --debuginfod=URL, or list them in {SERVERS_VARIABLE}"
        ));
    }
    let mut options = Options::new(cache.of_servers()?)
        .with_servers(servers)
        .with_offline(cache.offline)
        .with_progress(Arc::new(Bars::default()));
    options.cache_bytes = cache.cache_size;
    if let Some(bytes) = cache.largest_of_servers()? {
        options.file_bytes = bytes;
        options.total_bytes = options.total_bytes.max(bytes);
    }
    let times = ServerTimes::of_environment()?;
    options.stall_time = times.stall.unwrap_or(options.stall_time);
    options.file_time = times.file.unwrap_or(options.file_time);
    Client::new(options).map_err(|why| why.to_string())
}

/// Reports what came of the files that were asked for.
pub(crate) fn report(client: &Client, verbose: bool) {
    let transfers = client.transfers();
    if transfers.is_empty() {
        return;
    }
    for transfer in &transfers {
        if verbose || matches!(transfer.outcome, TransferOutcome::Failed(..)) {
            complain(format_args!("debuginfod: {transfer}"));
        }
    }
    let count = |of: fn(&TransferOutcome) -> bool| {
        let outcomes = transfers.iter().map(|transfer| &transfer.outcome);
        outcomes.filter(|outcome| of(outcome)).count()
    };
    let received: u64 = transfers
        .iter()
        .map(|transfer| transfer.received_bytes)
        .sum();
    let requests: u32 = transfers.iter().map(|transfer| transfer.requests).sum();
    let files = file_counts(&[
        (
            count(|it| matches!(it, TransferOutcome::Fetched(_))),
            "fetched",
        ),
        (
            count(|it| matches!(it, TransferOutcome::Cached)),
            "from the cache",
        ),
        (
            count(|it| matches!(it, TransferOutcome::Absent | TransferOutcome::KnownAbsent)),
            "that no server has",
        ),
        (
            count(|it| matches!(it, TransferOutcome::Offline)),
            "not in the cache",
        ),
        (
            count(|it| matches!(it, TransferOutcome::LeftOut)),
            "left out: fewer samples want them than --min-share",
        ),
        (
            count(|it| matches!(it, TransferOutcome::Failed(..))),
            "failed",
        ),
    ]);
    complain(format_args!(
        "debuginfod: files: {files}; {requests} requests, {received} bytes received"
    ));
}

/// Shows files on their way, on a terminal.
#[derive(Debug, Default)]
struct Bars(Mutex<HashMap<(BuildId, FileKind), ProgressBar>>);

impl Progress for Bars {
    fn advanced(&self, ongoing: &Ongoing<'_>) {
        let mut bars = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = bars
            .entry((*ongoing.build_id, ongoing.kind))
            .or_insert_with(|| {
                let name = format!(
                    "{} {} from {}",
                    ongoing.kind, ongoing.build_id, ongoing.server
                );
                progress::transfer(name)
            });
        if let Some(length) = ongoing.announced_bytes {
            bar.set_length(length);
        }
        bar.set_position(ongoing.received_bytes);
    }

    fn ended(&self, transfer: &Transfer) {
        let mut bars = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = bars.remove(&(transfer.build_id, transfer.kind)) {
            bar.finish_and_clear();
        }
    }
}
