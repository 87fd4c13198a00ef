//! pprof, written and read back: everything that the format can represent is kept.

mod profiles;
mod said;

use backsight_formats::flaws::Flaws;
use backsight_formats::pprof::{self, Limits, Options};
use backsight_profile::Profile;
use profiles::profiles;
use proptest::prelude::*;
use said::said;

fn with_times() -> Options {
    Options::default().with_gzip(true).with_times(true)
}

fn written(profile: &Profile, options: &Options) -> Vec<u8> {
    let mut bytes = Vec::new();
    let flaws = pprof::write(profile, &mut bytes, options).unwrap();
    assert!(flaws.is_empty(), "{flaws:?}");
    bytes
}

fn read(bytes: &[u8]) -> Profile {
    let (profile, flaws) = pprof::read(bytes, &Limits::default()).unwrap();
    assert_eq!(flaws, Flaws::default());
    profile
}

proptest! {
    #[test]
    fn writing_then_reading_is_the_identity(profile in profiles()) {
        let again = read(&written(&profile, &with_times()));
        prop_assert_eq!(said(&again, true), said(&profile, true));
        let texts = |profile: &Profile| {
            let text = |index| profile.strings.get(index).unwrap().to_owned();
            let types = profile.sample_types.iter().map(|it| (text(it.kind), text(it.unit)));
            let types: Vec<_> = types.collect();
            let comments: Vec<_> = profile.comments.iter().map(|it| text(*it)).collect();
            let period = profile.period.map(|(it, n)| (text(it.kind), text(it.unit), n));
            (types, comments, period, profile.start_ns, profile.duration_ns, profile.default_type)
        };
        prop_assert_eq!(texts(&again), texts(&profile));
    }

    #[test]
    fn reading_then_writing_is_the_identity(profile in profiles()) {
        let plain = Options::default().with_gzip(false).with_times(true);
        let once = written(&read(&written(&profile, &plain)), &plain);
        let twice = written(&read(&once), &plain);
        prop_assert_eq!(twice, once);
    }
}
