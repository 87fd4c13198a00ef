//! Why a symbolizer cannot read a file.

use backsight_symbolize::Cause;

use crate::failure::{Failure, FailureKind};

/// Returns the failure that an error of a symbolizer is.
pub(crate) fn of_symbols(error: &backsight_symbolize::Error) -> Failure {
    let failure = Failure::of("symbols", error);
    match error.cause() {
        Cause::File(backsight_files::Error::Io(_)) => failure,
        Cause::NotFound => failure.with_kind(FailureKind::NotFound),
        Cause::TooLarge { .. } | Cause::Oversized { .. } => failure.with_kind(FailureKind::Limit),
        _ => failure.with_kind(FailureKind::Malformed),
    }
}
