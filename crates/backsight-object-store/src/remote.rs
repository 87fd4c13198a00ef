//! An object of a service on its way to this host.

use std::future::poll_fn;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use backsight_files::{FileError, Whole};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::path::Path;
use object_store::{BackoffConfig, ObjectStore, ObjectStoreExt, RetryConfig};
use tokio::runtime::Builder;

use crate::bucket_url::BucketKind;
use crate::error::BucketError;
use crate::http::UreqConnector;
use crate::options::BucketOptions;

/// Requests that failed are repeated for as long.
const RETRY_TIME: Duration = Duration::from_secs(60);

/// What `object_store` asks a host's provider for when no credentials are given.
const PROVIDERS: [&str; 3] = [
    "/latest/api/token",
    "/latest/meta-data/",
    "/computeMetadata/",
];

/// Returns whether buckets of this kind have a setting of this name
/// ([`BucketOptions::settings`]), in capitals or not.
#[must_use]
pub fn has_setting(kind: BucketKind, name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    match kind {
        BucketKind::S3 => name.parse::<AmazonS3ConfigKey>().is_ok(),
        BucketKind::Gcs => name.parse::<GoogleConfigKey>().is_ok(),
        BucketKind::Directory => false,
    }
}

/// A bucket of a service.
#[derive(Debug)]
pub(crate) struct Remote {
    service: Arc<dyn ObjectStore>,
    requests: Arc<AtomicU64>,
}

impl Remote {
    /// Connects to nothing yet; `None` for a directory.
    pub(crate) fn new(options: &BucketOptions) -> Result<Option<Self>, BucketError> {
        let retry = RetryConfig {
            backoff: BackoffConfig::default(),
            max_retries: options.retries,
            // Who was silent for that long once, is not waited for as long again.
            retry_timeout: RETRY_TIME.min(options.file_time).min(options.stall_time),
        };
        let connector = UreqConnector::new(options);
        let requests = connector.requests();
        let name = options.url.name();
        let service: Arc<dyn ObjectStore> = match options.url.kind() {
            BucketKind::S3 => {
                let mut builder = AmazonS3Builder::new();
                for (key, value) in &options.settings {
                    builder = builder.with_config(setting(key)?, value);
                }
                let builder = builder.with_bucket_name(name).with_retry(retry);
                Arc::new(builder.with_http_connector(connector).build().map_err(of)?)
            }
            BucketKind::Gcs => {
                let mut builder = GoogleCloudStorageBuilder::new();
                for (key, value) in &options.settings {
                    builder = builder.with_config(setting(key)?, value);
                }
                let builder = builder.with_bucket_name(name).with_retry(retry);
                Arc::new(builder.with_http_connector(connector).build().map_err(of)?)
            }
            BucketKind::Directory => return Ok(None),
        };
        Ok(Some(Self { service, requests }))
    }

    /// Returns the number of requests so far.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Writes an object into a file, and calls `advanced` with the bytes so far and all of them;
    /// false when there is none.
    pub(crate) fn receive(
        &self,
        path: &str,
        file: &mut Whole,
        options: &BucketOptions,
        advanced: &mut dyn FnMut(u64, u64),
    ) -> Result<bool, BucketError> {
        let path = Path::parse(path).map_err(|error| BucketError::Service(error.to_string()))?;
        let runtime = Builder::new_current_thread().enable_time().build();
        let runtime = runtime.map_err(|error| BucketError::Service(error.to_string()))?;
        runtime.block_on(self.receive_all(&path, file, options, advanced))
    }

    async fn receive_all(
        &self,
        path: &Path,
        file: &mut Whole,
        options: &BucketOptions,
        advanced: &mut dyn FnMut(u64, u64),
    ) -> Result<bool, BucketError> {
        let begun = Instant::now();
        let object = match self.service.get(path).await {
            Ok(object) => object,
            Err(object_store::Error::NotFound { source, .. }) => {
                return match code(&source.to_string()) {
                    Some("NoSuchBucket") => Err(BucketError::NoBucket),
                    _ => Ok(false),
                };
            }
            Err(error) => return Err(of(error)),
        };
        let limit = options.file_bytes;
        let bytes = object.meta.size;
        if object.meta.size > limit {
            return Err(BucketError::TooLarge { limit });
        }
        let mut parts = object.into_stream();
        let mut left = limit;
        while let Some(part) = poll_fn(|context| parts.as_mut().poll_next(context)).await {
            let part = part.map_err(of)?;
            let size = u64::try_from(part.len()).unwrap_or(u64::MAX);
            left = left
                .checked_sub(size)
                .ok_or(BucketError::TooLarge { limit })?;
            if begun.elapsed() > options.file_time {
                return Err(BucketError::TooSlow(options.file_time));
            }
            file.write_all(&part)
                .map_err(|error| FileError::new("write", None, error))?;
            advanced(limit.saturating_sub(left), bytes);
        }
        Ok(true)
    }
}

fn setting<K: std::str::FromStr>(name: &str) -> Result<K, BucketError> {
    let unknown = |_| BucketError::UnknownSetting(name.to_owned());
    name.to_ascii_lowercase().parse().map_err(unknown)
}

fn of(error: object_store::Error) -> BucketError {
    let text = error.to_string();
    if PROVIDERS.iter().any(|provider| text.contains(provider)) {
        return BucketError::NoCredentials(text);
    }
    match error {
        object_store::Error::PermissionDenied { .. }
        | object_store::Error::Unauthenticated { .. } => {
            BucketError::Denied(code(&text).map(str::to_owned))
        }
        _ => BucketError::Service(text),
    }
}

/// Returns the service's own word for an error, from the XML of its answer.
fn code(answer: &str) -> Option<&str> {
    let (_, rest) = answer.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    let is_word = code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_word.then_some(code)
}
