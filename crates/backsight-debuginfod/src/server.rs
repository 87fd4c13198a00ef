//! The address of a server.

use std::fmt;
use std::str::FromStr;

use backsight_types::BuildId;

use crate::wanted_file::WantedFile;

/// The address of a server, such as `https://debuginfod.debian.net`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Server(String);

/// The error for a text that is not the address of a server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the address of a debuginfod server: it must start with http:// or https://")]
pub struct NotAServer(String);

impl Server {
    /// Returns the URL of a file.
    pub(crate) fn url_of(&self, id: &BuildId, wanted: &WantedFile) -> String {
        format!("{}/buildid/{id}/{}", self.0, wanted.url_part())
    }

    /// Returns whether the connection is encrypted. Then redirects to unencrypted
    /// addresses are not followed.
    pub(crate) fn is_secure(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// Returns the address, without a trailing slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Server {
    type Err = NotAServer;

    fn from_str(text: &str) -> Result<Self, NotAServer> {
        let is_plain = |byte: u8| byte.is_ascii_graphic();
        let address = text.trim_end_matches('/');
        let host = (address.strip_prefix("https://")).or_else(|| address.strip_prefix("http://"));
        match host {
            Some(host) if !host.is_empty() && host.bytes().all(is_plain) => {
                Ok(Self(address.to_owned()))
            }
            _ => Err(NotAServer(text.to_owned())),
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Parses a list of servers in the format of `DEBUGINFOD_URLS`: addresses separated by
/// spaces. Words about signatures (`ima:enforcing`) are skipped, as signatures are not
/// checked.
///
/// # Errors
/// [`NotAServer`] for the first word that is not an address.
pub fn servers_in(list: &str) -> Result<Vec<Server>, NotAServer> {
    let words = list.split_whitespace();
    let addresses = words.filter(|word| !word.starts_with("ima:"));
    addresses.map(str::parse).collect()
}

#[cfg(test)]
mod tests {
    use super::{Server, servers_in};

    #[test]
    fn lists_are_read_as_elfutils_reads_them() {
        let list = "ima:enforcing https://a.example/ ima:ignore  http://b.example:8002/x//\n";
        let servers = servers_in(list).expect("two servers");
        let texts: Vec<&str> = servers.iter().map(Server::as_str).collect();
        assert_eq!(texts, ["https://a.example", "http://b.example:8002/x"]);
        assert_eq!(servers_in(" \t").expect("an empty list"), []);
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "https://",
            "ftp://a",
            "file:///etc",
            "https://a\u{e9}",
            "a.example",
        ] {
            let refused = text.parse::<Server>();
            assert!(refused.is_err(), "{text:?}: {refused:?}");
        }
    }
}
