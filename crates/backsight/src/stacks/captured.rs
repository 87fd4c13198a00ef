//! What was copied of a stopped thread.

use std::time::Duration;

use backsight_unwind::{Machine, Registers};

use super::stack_memory::StackMemory;

/// What was copied of a stopped thread.
#[derive(Debug)]
pub(super) struct CapturedThread {
    pub(super) machine: Machine,
    pub(super) registers: Registers,
    pub(super) memory: StackMemory,
    /// From the request to stop until it may run on.
    pub(super) stopped: Duration,
}
