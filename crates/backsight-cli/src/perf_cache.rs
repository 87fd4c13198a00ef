//! Finds perf's build ID cache, with the files of recorded modules.
//!
//! `perf record` copies files there, `perf archive` packs them, and its archives are unpacked
//! there (perf-buildid-cache(1), perf-config(1), perf-archive(1)).

use std::env;
use std::fs;
use std::path::PathBuf;

/// Returns the directory: `PERF_BUILDID_DIR`, which perf sets for its scripts; or `buildid.dir`
/// in the user's configuration; or `~/.debug`.
pub(crate) fn directory() -> Option<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty());
    if let Some(dir) = set("PERF_BUILDID_DIR") {
        return Some(dir.into());
    }
    let home = PathBuf::from(set("HOME")?);
    let config = set("PERF_CONFIG").map_or_else(|| home.join(".perfconfig"), PathBuf::from);
    let text = fs::read_to_string(config).unwrap_or_default();
    let dir = configured(&text).map(|dir| match dir.strip_prefix("~/") {
        Some(rest) => home.join(rest),
        None => PathBuf::from(dir),
    });
    Some(dir.unwrap_or_else(|| home.join(".debug")))
}

/// Returns `dir` of the section `[buildid]`. Comments start with `#` or `;`.
fn configured(text: &str) -> Option<&str> {
    let mut is_ours = false;
    let mut dir = None;
    for line in text.lines() {
        let line = line.split(['#', ';']).next().unwrap_or_default().trim();
        if let Some(section) = line.strip_prefix('[') {
            is_ours = section.trim_end_matches(']').trim() == "buildid";
        } else if let Some((key, value)) = line.split_once('=')
            && is_ours
            && key.trim() == "dir"
        {
            dir = Some(value.trim()).filter(|value| !value.is_empty());
        }
    }
    dir
}

#[cfg(test)]
mod tests {
    use super::configured;

    #[test]
    fn perf_s_configuration_is_parsed() {
        let cases = [
            ("", None),
            ("[buildid]\n\tdir = /var/cache/x\n", Some("/var/cache/x")),
            ("# [buildid]\n[report]\ndir = /no\n", None),
            (
                "[buildid]\ndir = ~/d # mine\n[annotate]\ndir=/no",
                Some("~/d"),
            ),
            ("[buildid]\ndir =\n", None),
        ];
        for (text, want) in cases {
            assert_eq!(configured(text), want, "{text}");
        }
    }
}
