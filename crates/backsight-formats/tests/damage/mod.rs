//! Files to damage, and ways to damage them.

use std::io::Write as _;

use backsight_profile::Profile;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use crate::profiles::profiles;

/// The number of files that [`files`] makes.
pub(crate) const FILES: usize = 4;

/// Writes some profiles, the same ones in each run. `write` gets the number of the file.
pub(crate) fn files(write: impl Fn(usize, &Profile) -> Vec<u8>) -> [Vec<u8>; FILES] {
    let mut runner = TestRunner::deterministic();
    std::array::from_fn(|nth| {
        let profile = profiles().new_tree(&mut runner).unwrap().current();
        write(nth, &profile)
    })
}

/// Flips some bits of a file.
pub(crate) fn flipped(files: &'static [Vec<u8>]) -> impl Strategy<Value = Vec<u8>> {
    let flips = prop::collection::vec((any::<Index>(), 0..8_u8), 1..9);
    (0..files.len(), flips).prop_map(|(file, flips)| {
        let mut bytes = files[file].clone();
        for (place, bit) in flips {
            let place = place.index(bytes.len());
            bytes[place] ^= 1 << bit;
        }
        bytes
    })
}

/// Compresses bytes with the highest level of gzip.
pub(crate) fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}
