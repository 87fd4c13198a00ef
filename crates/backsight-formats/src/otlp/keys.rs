//! Names of attributes.
//!
//! Source: the registries `process`, `thread`, `profile` and `pprof` of OpenTelemetry's
//! semantic conventions.

pub(super) const PID: &str = "process.pid";
pub(super) const PROCESS_NAME: &str = "process.executable.name";
pub(super) const TID: &str = "thread.id";
pub(super) const THREAD_NAME: &str = "thread.name";
pub(super) const BUILD_ID: &str = "process.executable.build_id.gnu";
pub(super) const FRAME_TYPE: &str = "profile.frame.type";
pub(super) const COMMENTS: &str = "pprof.profile.comment";
pub(super) const DEFAULT_TYPE: &str = "pprof.scope.default_sample_type";

/// The values of [`super::ADDRESSES`].
pub(super) const VIRTUAL_OFFSETS: &str = "virtual-offsets";
pub(super) const FILE_OFFSETS: &str = "file-offsets";
