//! Which modules of two profiles are the same.

use backsight_types::BuildId;

use super::profile;
use crate::{Difference, Inlines, RowKind, side_by_side};

/// The rows of a difference: name, module, own amounts.
type ComparedRows = Vec<(String, Option<String>, [i64; 2])>;

/// Compares two profiles whose program is at these paths, with a build ID if one is given.
fn compared(by: RowKind, before: (&str, Option<u8>), after: (&str, Option<u8>)) -> ComparedRows {
    let [before, after] = [before, after].map(|(path, id)| {
        let mut profile = profile(&[("main a", 0, 0, 1), ("k:idle", 0, 0, 1)]);
        for module in profile.modules.iter_mut().step_by(2) {
            module.path = path.as_bytes().to_vec();
            module.build_id = id.and_then(|id| BuildId::from_bytes(&[id; 20]).ok());
        }
        profile
    });
    // A page takes the sides of one profile from this.
    let both = side_by_side((&before, 0), (&after, 0));
    let joined = Difference::of((&both, 0), (&both, 1), by, Inlines::Apart);
    let found = Difference::of((&before, 0), (&after, 0), by, Inlines::Apart);
    let rows = |of: Difference| -> ComparedRows {
        let rows = of.rows.into_iter();
        let mut rows: ComparedRows = rows.map(|row| (row.name, row.module, row.own)).collect();
        rows.sort();
        rows
    };
    let found = rows(found);
    assert_eq!(rows(joined), found, "side by side");
    found
}

/// `a` in modules of these paths, before or after.
fn row(name: &str, module: &str, own: [i64; 2]) -> (String, Option<String>, [i64; 2]) {
    (name.to_owned(), Some(module.to_owned()), own)
}

#[test]
fn a_program_in_another_directory_is_the_same() {
    let kernel = row("idle", "[kernel.kallsyms]", [1, 1]);
    let moved = [
        (("/a/app", None), ("/b/app", None)),
        (("/a/old-name", Some(1)), ("/b/app", Some(1))),
        // Another build of it.
        (("/a/app", Some(1)), ("/b/app", Some(2))),
    ];
    for (before, after) in moved {
        let found = compared(RowKind::Function, before, after);
        let want = [
            row("a", "/b/app", [1, 1]),
            kernel.clone(),
            row("main", "/b/app", [0, 0]),
        ];
        assert_eq!(found, want, "{before:?} {after:?}");
        let modules = compared(RowKind::Module, before, after);
        let names: Vec<_> = modules.iter().map(|row| row.0.as_str()).collect();
        assert_eq!(names, ["/b/app", "[kernel.kallsyms]"]);
    }
    let found = compared(RowKind::Function, ("/a/app", None), ("/b/other", None));
    let want = [row("a", "/a/app", [1, 0]), row("a", "/b/other", [0, 1])];
    assert_eq!(found.get(..2), Some(&want[..]), "{found:?}");
}

#[test]
fn names_alone_count_where_one_profile_has_no_modules() {
    let before = profile(&[("main a", 0, 0, 1)]);
    let mut after = before.clone();
    after.modules.clear();
    for location in &mut after.locations {
        location.module = None;
    }
    let found = Difference::of((&before, 0), (&after, 0), RowKind::Function, Inlines::Apart);
    assert!(found.by_name_alone);
    let rows: Vec<_> = found.rows.iter().map(|row| (&*row.name, row.own)).collect();
    assert_eq!(rows, [("a", [1, 1]), ("main", [0, 0])]);
    let both = side_by_side((&before, 0), (&after, 0));
    assert!(both.locations.iter().all(|of| of.module.is_none()));
    let same = Difference::of(
        (&before, 0),
        (&before, 0),
        RowKind::Function,
        Inlines::Apart,
    );
    assert!(!same.by_name_alone);
}
