//! The URL of a bucket.

use std::fmt;
use std::str::FromStr;

/// The URL of a bucket, or of a prefix in it: `s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX`, or
/// `file:///DIR`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BucketUrl {
    kind: BucketKind,
    /// Empty for a directory.
    name: String,
    /// Of a directory the absolute path; otherwise without slashes at its ends.
    prefix: String,
}

/// Where a bucket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BucketKind {
    /// Amazon S3, or a server with its interface: `s3://`.
    S3,
    /// Google Cloud Storage: `gs://`.
    Gcs,
    /// A directory of this host: `file://`.
    Directory,
}

/// The error for a text that is not the URL of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a bucket is s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or file:///DIR")]
pub struct NotABucket;

impl BucketUrl {
    /// Returns where the bucket is.
    #[must_use]
    pub fn kind(&self) -> BucketKind {
        self.kind
    }

    /// Returns the name of the bucket; nothing for a directory.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the prefix in the bucket, or the path of the directory.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

impl FromStr for BucketUrl {
    type Err = NotABucket;

    fn from_str(text: &str) -> Result<Self, NotABucket> {
        let (scheme, rest) = text.split_once("://").ok_or(NotABucket)?;
        let kind = match scheme {
            "s3" => BucketKind::S3,
            "gs" => BucketKind::Gcs,
            "file" if rest.starts_with('/') => {
                return Ok(Self {
                    kind: BucketKind::Directory,
                    name: String::new(),
                    prefix: rest.to_owned(),
                });
            }
            _ => return Err(NotABucket),
        };
        let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        // A name with `?` or `@` would be another address.
        if name.is_empty() || !name.bytes().all(is_name) {
            return Err(NotABucket);
        }
        Ok(Self {
            kind,
            name: name.to_owned(),
            prefix: prefix.trim_matches('/').to_owned(),
        })
    }
}

impl fmt::Display for BucketUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, name, prefix } = self;
        let scheme = match kind {
            BucketKind::S3 => "s3",
            BucketKind::Gcs => "gs",
            BucketKind::Directory => return write!(f, "file://{prefix}"),
        };
        match prefix.is_empty() {
            true => write!(f, "{scheme}://{name}"),
            false => write!(f, "{scheme}://{name}/{prefix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BucketUrl, NotABucket};

    #[test]
    fn urls_are_read_and_written() {
        for (text, want) in [
            ("s3://a", "s3://a"),
            ("s3://a/", "s3://a"),
            ("gs://a-b.c/d/e/", "gs://a-b.c/d/e"),
            ("file:///srv/symbols", "file:///srv/symbols"),
        ] {
            assert_eq!(text.parse::<BucketUrl>().unwrap().to_string(), want);
        }
        for text in [
            "",
            "s3:/a",
            "s3://",
            "s3:///a",
            "s3://a@b/c",
            "file://a",
            "http://a/b",
        ] {
            assert_eq!(text.parse::<BucketUrl>(), Err(NotABucket), "{text}");
        }
    }
}
