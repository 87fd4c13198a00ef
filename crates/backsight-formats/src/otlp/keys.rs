//! Names of attributes.
//!
//! Source: the registries `process`, `thread`, `profile` and `pprof` of OpenTelemetry's
//! semantic conventions.

use backsight_types::AddrKind;

pub(super) const PID: &str = "process.pid";
pub(super) const PROCESS_NAME: &str = "process.executable.name";
pub(super) const TID: &str = "thread.id";
pub(super) const THREAD_NAME: &str = "thread.name";
pub(super) const BUILD_ID: &str = "process.executable.build_id.gnu";
pub(super) const FRAME_TYPE: &str = "profile.frame.type";
pub(super) const COMMENTS: &str = "pprof.profile.comment";
pub(super) const DEFAULT_TYPE: &str = "pprof.scope.default_sample_type";

/// The prefix of labels for a scope's name, version and attributes.
///
/// Source: "Instrumentation Scope" in the specification's chapter on formats that are not OTLP.
pub(super) const SCOPE: &str = "otel.scope.";
/// The name of the scope that is written if the profile has none.
pub(super) const OUR_SCOPE: &str = "backsight";
pub(super) const SCOPE_NAME: &str = "otel.scope.name";
pub(super) const SCOPE_VERSION: &str = "otel.scope.version";

/// Namespaces of attributes of the profiled process, container or host: they are written as
/// attributes of the resource.
///
/// Source: "Resource semantic conventions".
pub(super) const OF_RESOURCES: [&str; 14] = [
    "service.",
    "container.",
    "k8s.",
    "host.",
    "os.",
    "cloud.",
    "deployment.",
    "telemetry.",
    "process.",
    "faas.",
    "device.",
    "oci.",
    "aws.",
    "gcp.",
];

/// Returns the frame type for a kind of memory.
pub(super) fn frame_type(kind: Option<AddrKind>) -> Option<&'static str> {
    match kind? {
        AddrKind::Kernel => Some("kernel"),
        AddrKind::File | AddrKind::Vdso | AddrKind::Anonymous => Some("native"),
        _ => None,
    }
}

/// The attribute of a mapping with the address space of its addresses: `virtual-offsets` or
/// `file-offsets`.
pub const ADDRESSES: &str = "backsight.addresses";

/// The values of [`ADDRESSES`].
pub(super) const VIRTUAL_OFFSETS: &str = "virtual-offsets";
pub(super) const FILE_OFFSETS: &str = "file-offsets";
