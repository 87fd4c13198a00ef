//! The formats before `profile.proto`: profiles written by gperftools, tcmalloc, jemalloc and Go
//! when the test runs, compared with the results of `go tool pprof` and `jeprof`; profiles written
//! by hand in formats that no program here writes; and damaged profiles.

mod by_hand;
mod damaged;
mod made;
#[path = "../pprof_raw/mod.rs"]
mod pprof_raw;

use std::fs;
use std::path::Path;

use backsight_formats::flaws::Flaws;
use backsight_formats::legacy::{LineError, is_one, read};
use backsight_profile::Profile;
use pprof_raw::{by_pprof, kinds, sums};

fn parse(bytes: &[u8]) -> (Profile, Flaws, Vec<LineError>) {
    let mut wrong = Vec::new();
    assert!(is_one(bytes));
    let (profile, flaws) = read(bytes, |error| wrong.push(error.clone())).unwrap();
    (profile, flaws, wrong)
}

fn agrees_with_pprof(file: &Path) -> Option<Profile> {
    let (profile, _, wrong) = parse(&fs::read(file).unwrap());
    assert_eq!(wrong, [], "{}", file.display());
    let (want_kinds, want) = by_pprof(file)?;
    assert_eq!(kinds(&profile), want_kinds, "{}", file.display());
    assert_eq!(sums(&profile), want, "{}", file.display());
    assert!(!want.is_empty());
    Some(profile)
}
