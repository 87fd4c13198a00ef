//! The flags for servers and buckets that are asked for files.

use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use backsight::{Profile, module_shares};
use backsight_debuginfod::Client;
use backsight_object_store::{BucketFetcher, BucketUrl};
use backsight_symbolize::Fetch;
use backsight_types::{BuildId, ModuleIdx};

use crate::buckets;
use crate::debuginfod::{self, NamedServers};
use crate::failure::complain;
use crate::fetch_cache::FetchCache;

/// So many files of buckets are received at once, as debuginfod's client does.
const FILES_AT_ONCE: usize = 4;

/// Which servers and buckets are asked for files.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Fetchers {
    #[command(flatten)]
    places: Places,

    #[command(flatten)]
    cache: FetchCache,

    #[arg(skip)]
    made: OnceLock<Made>,
}

/// Where files come from.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(id = "fetchers")]
struct Places {
    /// Fetch files that no directory has from this debuginfod server, or from those that
    /// $DEBUGINFOD_URLS lists; may be given several times. Without this flag, no server is asked
    #[arg(long, value_name = "URL", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "", value_parser = debuginfod::parse_named)]
    debuginfod: Vec<NamedServers>,

    /// Fetch files that no directory has from this bucket, before servers are asked: s3://BUCKET
    /// or gs://BUCKET, with /PREFIX if there is one, or file:///DIR. It has files by build ID, as
    /// the directory of `backsight store` does; may be given several times. Settings and
    /// credentials are those of the environment ($AWS_REGION, $AWS_ACCESS_KEY_ID, …;
    /// $GOOGLE_APPLICATION_CREDENTIALS, …)
    #[arg(long, value_name = "URL")]
    bucket: Vec<BucketUrl>,
}

/// What the flags become.
#[derive(Clone, Debug, Default)]
struct Made {
    buckets: Vec<Arc<BucketFetcher>>,
    client: Option<Arc<Client>>,
    /// Whether something could not be made, which was said.
    is_in_part: bool,
}

impl Fetchers {
    /// Whether no flag was given.
    pub(crate) fn is_default(&self) -> bool {
        self.places.debuginfod.is_empty() && self.places.bucket.is_empty()
    }

    /// Whether everything that the flags name can be asked. What cannot was said.
    pub(crate) fn can_all_be_asked(&self) -> bool {
        !self.made().is_in_part
    }

    /// Returns them in the order in which they are asked.
    pub(crate) fn all(&self) -> Vec<Arc<dyn Fetch>> {
        let made = self.made();
        let buckets = made.buckets.iter().cloned();
        let buckets = buckets.map(|bucket| bucket as Arc<dyn Fetch>);
        let client = made.client.iter().cloned();
        buckets
            .chain(client.map(|client| client as Arc<dyn Fetch>))
            .collect()
    }

    /// Makes them once, and says then what is wrong.
    fn made(&self) -> &Made {
        self.made.get_or_init(|| {
            let Places { debuginfod, bucket } = &self.places;
            let mut made = Made::default();
            for url in bucket {
                match buckets::make(url, &self.cache) {
                    Ok(fetcher) => made.buckets.push(Arc::new(fetcher)),
                    Err(why) => {
                        complain(format_args!("--bucket {url}: not used: {why}"));
                        made.is_in_part = true;
                    }
                }
            }
            if !debuginfod.is_empty() {
                match debuginfod::make(debuginfod, &self.cache) {
                    Ok(client) => made.client = Some(Arc::new(client)),
                    Err(why) => {
                        complain(format_args!("--debuginfod: not used: {why}"));
                        made.is_in_part = true;
                    }
                }
            }
            made
        })
    }

    /// Returns a source file of the program with this build ID, and its path in the cache; `None` if
    /// no server was named, or none has it.
    pub(crate) fn source(
        &self,
        id: &BuildId,
        path: &str,
    ) -> Result<Option<(File, PathBuf)>, String> {
        match &self.made().client {
            Some(client) => client.source(id, path).map_err(|fault| fault.to_string()),
            None => Ok(None),
        }
    }

    /// Asks for no file before it is known which are worth it.
    pub(crate) fn hold(&self) {
        let made = self.made();
        if let Some(client) = &made.client {
            client.ask_only_for([]);
        }
        for bucket in &made.buckets {
            bucket.ask_only_for([]);
        }
    }

    /// Returns the modules to open first, those that most samples wait for before others, and
    /// how many at once; none without servers and buckets. Files are fetched for those alone
    /// that at least `min_percent` of the samples wait for.
    pub(crate) fn order(&self, profile: &Profile, min_percent: f64) -> (Vec<ModuleIdx>, usize) {
        let made = self.made();
        if made.client.is_none() && made.buckets.is_empty() {
            return (Vec::new(), 0);
        }
        let mut shares = module_shares(profile);
        shares.retain(|of| of.share * 100.0 >= min_percent);
        let order: Vec<ModuleIdx> = shares.iter().map(|of| of.module).collect();
        let modules = order.iter().filter_map(|index| profile.module(*index));
        let wanted: Vec<_> = modules.filter_map(|module| module.build_id).collect();
        for bucket in &made.buckets {
            bucket.ask_only_for(wanted.iter().copied());
        }
        let at_once = match &made.client {
            Some(client) => {
                client.ask_only_for(wanted);
                client.options().transfers_at_once
            }
            None => FILES_AT_ONCE,
        };
        (order, at_once)
    }

    /// Reports what came of the files that were asked for.
    pub(crate) fn report(&self, verbose: bool) {
        // What was never made has nothing to say.
        let Some(made) = self.made.get() else {
            return;
        };
        for bucket in &made.buckets {
            buckets::report(bucket, verbose);
        }
        if let Some(client) = &made.client {
            debuginfod::report(client, verbose);
        }
    }
}
