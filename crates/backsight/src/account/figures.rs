//! What a conversion came to.

use super::frame_counts::FrameCounts;
use super::left_out::LeftOut;

/// What a conversion came to.
#[derive(Debug)]
#[non_exhaustive]
pub struct Account {
    /// Samples that were read: those that are written, and those that are left out.
    pub read: u64,
    /// Samples that are written.
    pub written: u64,
    /// What of the input is not in the output.
    pub left_out: LeftOut,
    /// Stacks that differ, with samples.
    pub stacks: u64,
    /// Frames of all samples.
    pub frames: u64,
    /// Where there are no samples: how many addresses, each of which is a frame.
    pub addresses: Option<u64>,
    /// Which frames have a name; `None` where nobody asked for names.
    pub names: Option<FrameCounts>,
}
