//! Whole stacks of the threads of live processes.

mod captured;
mod code;
pub(crate) mod live_stacks;
mod machine_registers;
pub(crate) mod options;
pub(crate) mod refusal;
mod round;
mod stack_memory;
mod tasks;
pub(crate) mod thread_stack;
mod tracee;
mod wanted;
