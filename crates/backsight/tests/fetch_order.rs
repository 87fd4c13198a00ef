//! The order in which files are fetched that a profile waits for.

use std::sync::{Arc, Mutex};

use backsight::profile::{Location, Profile, Sample};
use backsight::symbolize::{Fetch, FetchError, Fetched, Options, Wanted};
use backsight::types::{BuildId, FileOffset, Module, ModuleIdx};
use backsight::{ModuleFiles, ProfileSymbolizer, module_shares};

/// Has nothing, and notes what was wanted.
#[derive(Debug, Default)]
struct Wishes(Mutex<Vec<BuildId>>);

impl Fetch for Wishes {
    fn fetch(&self, wanted: &Wanted<'_>) -> Result<Option<Fetched>, FetchError> {
        let mut wishes = self.0.lock().expect("nobody panics");
        if !wishes.contains(wanted.build_id) {
            wishes.push(*wanted.build_id);
        }
        Ok(None)
    }
}

fn id(byte: u8) -> BuildId {
    BuildId::from_bytes(&[byte; 20]).expect("twenty bytes")
}

#[test]
fn files_that_most_samples_wait_for_are_fetched_first() {
    let mut profile = Profile::default();
    for (byte, value) in [(1, 5), (2, 80), (3, 1), (4, 40), (5, 60)] {
        let module = ModuleIdx(u32::try_from(profile.modules.len()).expect("five"));
        let of_file = Module::default().with_path(format!("/nowhere/{byte}"));
        profile.modules.push(of_file.with_build_id(id(byte)));
        let location = profile.add_location(Location {
            module: Some(module),
            file_offset: Some(FileOffset(0x1000)),
            ..Location::default()
        });
        let sample = Sample {
            stack: profile.stacks.intern(location),
            ..Sample::default()
        };
        profile.samples.push(sample, &[value], &[]);
    }
    let wishes = Arc::new(Wishes::default());
    let options = Options::default().with_debug_dirs(Vec::new());
    let options = options.with_fetchers(vec![wishes.clone()]);
    let mut symbolizer = ProfileSymbolizer::new(ModuleFiles::default().with_symbols(options));
    let order: Vec<ModuleIdx> = (module_shares(&profile).iter())
        .map(|of| of.module)
        .take(4)
        .collect();
    symbolizer.open_first(&profile, &order, 1);
    let wished = || wishes.0.lock().expect("nobody panics").clone();
    assert_eq!(wished(), [2, 5, 4, 1].map(id));
    // What is left is asked for with the rest.
    symbolizer.look_up(&mut profile);
    assert_eq!(wished(), [2, 5, 4, 1, 3].map(id));
}
