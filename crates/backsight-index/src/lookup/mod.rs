//! Looks up the call levels of virtual offsets. Their texts are created on first use.

mod frame;
mod frame_ref;
mod search;
mod text_cache;
mod text_store;
mod view;
mod view_options;

pub use frame::{Frame, Frames, known_in};
pub use frame_ref::{FrameRef, StackFrames};
pub use search::{Hit, PendingSearch};
pub use view::IndexView;
pub use view_options::ViewOptions;
