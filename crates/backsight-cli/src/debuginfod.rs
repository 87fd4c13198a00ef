//! The flags for debuginfod servers, and what is said of them.

use std::collections::HashMap;
use std::env;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use backsight::{Profile, module_shares};
use backsight_debuginfod::{
    Client, FileKind, Ongoing, Options, Progress, Server, Transfer, TransferOutcome, servers_in,
};
use backsight_types::{BuildId, ModuleIdx};
use indicatif::ProgressBar;

use crate::args::parse_size;
use crate::failure::complain;
use crate::progress;

/// The variable that lists servers, for those who ask for them.
const SERVERS_VARIABLE: &str = "DEBUGINFOD_URLS";

/// Which servers are asked for files.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Debuginfod {
    /// Fetch files that no directory has from this debuginfod server, or from those that
    /// $DEBUGINFOD_URLS lists; may be given several times. Without this flag, no server is asked
    #[arg(long, value_name = "URL", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "", value_parser = parse_named)]
    debuginfod: Vec<NamedServers>,

    /// Use only what was fetched earlier, and ask no server
    #[arg(long, requires = "debuginfod")]
    offline: bool,

    /// Where fetched files are kept [default: backsight/debuginfod in $XDG_CACHE_HOME or
    /// ~/.cache]
    #[arg(long, value_name = "DIR", requires = "debuginfod")]
    cache_dir: Option<PathBuf>,

    /// The total size of the fetched files; the least recently used ones are removed first
    #[arg(long, value_name = "BYTES", default_value = "8G", value_parser = parse_size)]
    #[arg(requires = "debuginfod")]
    cache_size: u64,

    #[arg(skip)]
    client: OnceLock<Option<Arc<Client>>>,
}

/// A server that was named, or the list of the environment.
#[derive(Clone, Debug)]
enum NamedServers {
    Server(Server),
    Environment,
}

fn parse_named(text: &str) -> Result<NamedServers, String> {
    match text {
        "" => Ok(NamedServers::Environment),
        url => url
            .parse()
            .map(NamedServers::Server)
            .map_err(|why: backsight_debuginfod::NotAServer| why.to_string()),
    }
}

impl Debuginfod {
    /// Whether no flag was given.
    pub(crate) fn is_default(&self) -> bool {
        self.debuginfod.is_empty()
    }

    /// Returns the client, if servers are to be asked and can be. It is made once, and says
    /// what is wrong then.
    pub(crate) fn client(&self) -> Option<&Arc<Client>> {
        let made = self.client.get_or_init(|| {
            if self.debuginfod.is_empty() {
                return None;
            }
            let made = self.make();
            made.map_err(|why| complain(format_args!("--debuginfod: not used: {why}")))
                .ok()
        });
        made.as_ref()
    }

    fn make(&self) -> Result<Arc<Client>, String> {
        let mut servers = Vec::new();
        for named in &self.debuginfod {
            match named {
                NamedServers::Server(server) => servers.push(server.clone()),
                NamedServers::Environment => {
                    let list = env::var(SERVERS_VARIABLE).unwrap_or_default();
                    let listed = servers_in(&list);
                    servers.extend(listed.map_err(|why| format!("{SERVERS_VARIABLE}: {why}"))?);
                }
            }
        }
        if servers.is_empty() && !self.offline {
            return Err(format!(
                "it names no server: give --debuginfod=URL, or list them in {SERVERS_VARIABLE}"
            ));
        }
        let dir = self.cache_dir.clone().or_else(default_cache_dir);
        let dir = dir.ok_or("neither XDG_CACHE_HOME nor HOME is set: give --cache-dir")?;
        let mut options = Options::new(dir)
            .with_servers(servers)
            .with_offline(self.offline)
            .with_progress(Arc::new(Bars::default()));
        options.cache_bytes = self.cache_size;
        let client = Client::new(options).map_err(|why| why.to_string())?;
        Ok(Arc::new(client))
    }

    /// Asks for no file before it is known which are worth it.
    pub(crate) fn hold(&self) {
        if let Some(client) = self.client() {
            client.ask_only_for([]);
        }
    }

    /// Returns the modules to open first, those that most samples wait for before others, and
    /// how many at once; none without servers. Files are fetched for those alone that at least
    /// `min_percent` of the samples wait for.
    pub(crate) fn order(&self, profile: &Profile, min_percent: f64) -> (Vec<ModuleIdx>, usize) {
        let Some(client) = self.client() else {
            return (Vec::new(), 0);
        };
        let mut shares = module_shares(profile);
        shares.retain(|of| of.share * 100.0 >= min_percent);
        let order: Vec<ModuleIdx> = shares.iter().map(|of| of.module).collect();
        let modules = order.iter().filter_map(|index| profile.module(*index));
        client.ask_only_for(modules.filter_map(|module| module.build_id));
        (order, client.options().transfers_at_once)
    }

    /// Reports what came of the files that were asked for.
    pub(crate) fn report(&self, verbose: bool) {
        // A client that was never made has nothing to say.
        let Some(Some(client)) = self.client.get() else {
            return;
        };
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
        let counts = [
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
        ];
        let counts = counts.iter().filter(|(count, _)| *count > 0);
        let counts: Vec<String> = counts
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        let counts = counts.join(", ");
        complain(format_args!(
            "debuginfod: files: {counts}; {requests} requests, {received} bytes received"
        ));
    }
}

fn default_cache_dir() -> Option<PathBuf> {
    let set = |name| {
        env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let cache = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")))?;
    Some(cache.join("backsight/debuginfod"))
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
