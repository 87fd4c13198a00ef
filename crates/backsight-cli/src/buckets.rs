//! The flag for buckets, and what is said of them.

use std::collections::HashMap;
use std::env;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use backsight_object_store::{
    BucketError, BucketFetcher, BucketKind, BucketOngoing, BucketOptions, BucketOutcome,
    BucketProgress, BucketTransfer, BucketUrl, has_setting,
};
use backsight_store::{Store, StoredKind};
use backsight_types::BuildId;
use indicatif::ProgressBar;

use crate::failure::{WithWayOut, complain};
use crate::fetch_cache::{FetchCache, ServerTimes};
use crate::file_counts::file_counts;
use crate::progress;

/// Connects to nothing yet.
pub(crate) fn make(url: &BucketUrl, cache: &FetchCache) -> Result<BucketFetcher, String> {
    if url.kind() == BucketKind::Directory {
        match Path::new(url.prefix()).metadata() {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => return Err("not a directory".to_owned()),
            Err(error) => return Err(WithWayOut(&error).to_string()),
        }
    }
    let mut options = BucketOptions::new(url.clone(), Store::at(cache.of_buckets()?));
    options.settings = settings(url.kind());
    options.store_bytes = cache.cache_size;
    options.offline = cache.offline;
    options.file_bytes = cache.largest_of_buckets().unwrap_or(options.file_bytes);
    options.progress = Some(Arc::new(BucketBars::default()));
    let times = ServerTimes::of_environment()?;
    options.stall_time = times.stall.unwrap_or(options.stall_time);
    options.file_time = times.file.unwrap_or(options.file_time);
    BucketFetcher::new(options).map_err(|why| why.to_string())
}

/// Returns the settings of the environment, as other tools of the service take them.
fn settings(kind: BucketKind) -> Vec<(String, String)> {
    let prefix = match kind {
        BucketKind::S3 => "AWS_",
        BucketKind::Gcs => "GOOGLE_",
        _ => return Vec::new(),
    };
    let variables = env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok()?;
        Some((name, value.into_string().ok()?))
    });
    variables
        .filter(|(name, value)| name.starts_with(prefix) && !value.is_empty())
        // The environment has variables for other tools, too, such as AWS_PAGER.
        .filter(|(name, _)| has_setting(kind, name))
        .collect()
}

/// Reports what came of the files that were asked for.
pub(crate) fn report(bucket: &BucketFetcher, verbose: bool) {
    let transfers = bucket.transfers();
    if transfers.is_empty() {
        return;
    }
    let url = &bucket.options().url;
    report_failures(url, &transfers);
    for transfer in &transfers {
        if verbose && !matches!(transfer.outcome, BucketOutcome::Failed(_)) {
            complain(format_args!("{url}: {transfer}"));
        }
    }
    let count = |of: fn(&BucketOutcome) -> bool| {
        let outcomes = transfers.iter().map(|transfer| &transfer.outcome);
        outcomes.filter(|outcome| of(outcome)).count()
    };
    let files = file_counts(&[
        (count(|it| *it == BucketOutcome::Fetched), "fetched"),
        (count(|it| *it == BucketOutcome::Stored), "from the cache"),
        (count(|it| *it == BucketOutcome::InDirectory), "found"),
        (
            count(|it| *it == BucketOutcome::Absent),
            "that it does not have",
        ),
        (
            count(|it| *it == BucketOutcome::Offline),
            "not in the cache",
        ),
        (
            count(|it| *it == BucketOutcome::LeftOut),
            "left out: fewer samples want them than --min-share",
        ),
        (count(|it| matches!(it, BucketOutcome::Failed(_))), "failed"),
    ]);
    let received = transfers.iter().map(|transfer| transfer.received_bytes);
    let received: u64 = received.fold(0, u64::saturating_add);
    match url.kind() {
        BucketKind::Directory => complain(format_args!("{url}: files: {files}")),
        _ => complain(format_args!(
            "{url}: files: {files}; {} requests, {received} bytes received",
            bucket.requests()
        )),
    }
}

/// Reports each cause once: a bucket that denies one file mostly denies them all.
fn report_failures(url: &BucketUrl, transfers: &[BucketTransfer]) {
    let mut causes: Vec<(&BucketError, &BucketTransfer, usize)> = Vec::new();
    for transfer in transfers {
        let BucketOutcome::Failed(error) = &transfer.outcome else {
            continue;
        };
        match causes.iter_mut().find(|(known, ..)| *known == error) {
            Some((.., count)) => *count = count.saturating_add(1),
            None => causes.push((error, transfer, 1)),
        }
    }
    for (error, transfer, count) in causes {
        let others = match count {
            1 => String::new(),
            2 => " (and one other file)".to_owned(),
            count => format!(" (and {} other files)", count.saturating_sub(1)),
        };
        let way_out = way_out(url.kind(), error);
        complain(format_args!("{url}: {transfer}{others}{way_out}"));
    }
}

fn way_out(kind: BucketKind, error: &BucketError) -> &'static str {
    match (error, kind) {
        (BucketError::NoCredentials(_), BucketKind::S3) => {
            ". Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, which `aws configure \
             export-credentials --format env` prints, or for a public bucket \
             AWS_SKIP_SIGNATURE=true"
        }
        (BucketError::NoCredentials(_), _) => {
            ". Set GOOGLE_APPLICATION_CREDENTIALS to the file of an account, or for a public \
             bucket GOOGLE_SKIP_SIGNATURE=true"
        }
        (BucketError::NoBucket, BucketKind::S3) => {
            ". Check its name, AWS_REGION and AWS_ENDPOINT_URL"
        }
        (BucketError::NoBucket, _) => ". Check its name",
        _ => "",
    }
}

/// Shows files on their way, on a terminal.
#[derive(Debug, Default)]
struct BucketBars(Mutex<HashMap<(BuildId, StoredKind), ProgressBar>>);

impl BucketProgress for BucketBars {
    fn advanced(&self, ongoing: &BucketOngoing<'_>) {
        let mut bars = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = bars
            .entry((*ongoing.build_id, ongoing.kind))
            .or_insert_with(|| {
                let (kind, id) = (ongoing.kind.name(), ongoing.build_id);
                progress::transfer(format!("{kind} {id} from {}", ongoing.bucket))
            });
        bar.set_length(ongoing.bytes);
        bar.set_position(ongoing.received_bytes);
    }

    fn ended(&self, transfer: &BucketTransfer) {
        let mut bars = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = bars.remove(&(transfer.build_id, transfer.kind)) {
            bar.finish_and_clear();
        }
    }
}
