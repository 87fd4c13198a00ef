//! Counts that describe a conversion.

use super::frame_counts::FrameCounts;
use super::left_out::LeftOut;

/// Counts that describe a conversion.
#[derive(Debug)]
#[non_exhaustive]
pub struct Account {
    /// Samples in the input: the written ones and the ones left out.
    pub read: u64,
    /// Samples in the output.
    pub written: u64,
    /// What was in the input and is not in the output.
    pub left_out: LeftOut,
    /// Distinct stacks that have samples.
    pub stacks: u64,
    /// Frames, summed over all samples.
    pub frames: u64,
    /// For input without samples: the number of addresses. Each address counts as one frame.
    pub addresses: Option<u64>,
    /// How many frames have a name; `None` if no symbolization was requested.
    pub names: Option<FrameCounts>,
}
