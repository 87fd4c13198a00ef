//! What is said of files that were written to while they were mapped.

use backsight::Finished;

/// Returns what is said of files that were written to while processes had them mapped, if there
/// are any.
pub(super) fn rewritten_words(finished: &Finished) -> Option<String> {
    let files = match finished.unproven.rewritten {
        0 => return None,
        1 => "1 file was".to_owned(),
        count => format!("{count} files were"),
    };
    Some(format!(
        "{files} written to while processes had them mapped (as by cp over an old library): what is \
         in them now is not what was sampled, and names nothing; a new file that is renamed to the \
         old name (install, mv) leaves the old one to those who have it"
    ))
}
