//! Which crates a listing of public items names.

use std::collections::BTreeSet;

/// Crates that may be named: the standard library, and serde, which stays at version 1.
const STABLE: [&str; 4] = ["alloc", "core", "serde_core", "std"];

/// Returns the crates in public items that are neither ours nor stable: their next version
/// would force a breaking version of ours.
pub(super) fn foreign(listing: &str, ours: &[String]) -> BTreeSet<String> {
    let is_part = |byte: char| byte.is_ascii_alphanumeric() || byte == '_';
    let mut named = BTreeSet::new();
    for (at, _) in listing.match_indices("::") {
        let before = listing.get(..at).unwrap_or_default();
        let rest = before.trim_end_matches(is_part);
        let root = before.get(rest.len()..).unwrap_or_default();
        // A type parameter, or a name within a path.
        let is_crate = root.starts_with(|first: char| first.is_ascii_lowercase());
        if !is_crate || rest.ends_with("::") || STABLE.contains(&root) {
            continue;
        }
        if !ours.iter().any(|it| it.replace('-', "_") == root) {
            named.insert(root.to_owned());
        }
    }
    named
}

#[cfg(test)]
mod tests {
    use super::foreign;

    #[test]
    fn a_crate_that_may_change_any_day_is_found_wherever_it_stands() {
        let ours = ["vma-query".to_owned()];
        let said = |line| foreign(line, &ours).into_iter().collect::<Vec<_>>();
        let fine = "impl<T> core::fmt::Debug for vma_query::Vma<T> where T: serde_core::ser::Serialize, T::Item: Sized";
        assert_eq!(said(fine), [""; 0]);
        assert_eq!(
            said("pub fn vma_query::held(&std::fs::File) -> (u8, libc::unix::gnu::stat)"),
            ["libc"]
        );
        assert_eq!(
            said("impl core::convert::From<nix::errno::Errno> for vma_query::Error"),
            ["nix"]
        );
    }
}
