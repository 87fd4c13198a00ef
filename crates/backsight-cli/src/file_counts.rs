//! How many files came to what, as text.

/// Returns the counts above zero with what they count.
pub(crate) fn file_counts(of: &[(usize, &str)]) -> String {
    let counts = of.iter().filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    counts.join(", ")
}
