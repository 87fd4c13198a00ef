//! Names that no compiler writes: long, deep, expanding, malformed.

use backsight_demangle::{demangle, demangle_ada};
use proptest::prelude::*;

const LIMIT: usize = 64 << 10;

/// Runs on half of the default stack size of Rust threads.
fn on_small_stack(run: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(1 << 20);
    thread.spawn(run).unwrap().join().unwrap();
}

#[test]
fn a_name_that_expands_past_the_limit_stays_raw() {
    // `S_` is the template's name; each further parameter contains the one before it twice.
    let mut bomb = String::from("_Z1f1aIiiE");
    for at in 0..30 {
        let back = std::char::from_digit(at, 36).unwrap().to_ascii_uppercase();
        bomb.push_str(&format!("S_IS{back}_S{back}_E"));
    }
    assert_eq!(demangle(&bomb, LIMIT), None);
    assert_eq!(demangle("_Z3fooi", 3), None, "the name itself is too long");
    assert_eq!(demangle("_Z3fooi", 7), None, "`foo(int)` has 8");
    assert_eq!(demangle("_Z3fooi", 8).as_deref(), Some("foo(int)"));
    assert_eq!(
        demangle("_Z1fv@V12", 8),
        None,
        "`f()@V12` fits, the name does not"
    );
    assert_eq!(
        demangle("_Z1fi.cold", 19),
        None,
        "`f(int) [clone .cold]` has 20"
    );
}

#[test]
fn packs_without_elements_cost_no_more_than_their_limit() {
    // Each level expands the one before it twice, and produces no text.
    let mut bomb = String::from("_Z1fIJEEvDpT_");
    for at in 0..30 {
        let back = std::char::from_digit(at, 36).unwrap().to_ascii_uppercase();
        bomb.push_str(&format!("DpM1aFvS{back}_S{back}_E"));
    }
    let shown = demangle(&bomb, LIMIT);
    assert!(shown.is_none_or(|text| text.len() <= LIMIT));
}

#[test]
fn a_circular_reference_stays_raw() {
    let cases = [
        // The type of the conversion is its own argument.
        "_ZN1acvT_IS0_EEv",
        "_ZN1acvP1bIT_EIS1_EEv",
        // The constraint of the parameter refers to its own argument.
        "_Z1fITk1cIT_ES_EvS_",
        "_D1aQa",
        "_D1aQbQbZ",
        "_D1a1bFQcQcZv",
        "_D1aTQa",
    ];
    for name in cases {
        let shown = demangle(name, LIMIT);
        assert!(shown.is_none_or(|text| text.len() <= LIMIT), "{name}");
    }
}

#[test]
fn a_name_that_nests_too_deep_stays_raw() {
    on_small_stack(|| {
        for depth in [50, 100, 250, 10_000, 65_000] {
            let opened = |open: &str, inner: &str, close: &str| {
                let levels = depth / (open.len() + close.len());
                format!("{}{inner}{}", open.repeat(levels), close.repeat(levels))
            };
            let cases = [
                ("pointers", format!("_Z1f{}", opened("P", "i", ""))),
                ("references", format!("_Z1f{}", opened("R", "i", ""))),
                ("arrays", format!("_Z1f{}", opened("A1_", "i", ""))),
                ("functions", format!("_Z1f{}", opened("PFv", "i", "E"))),
                ("members", format!("_Z1f{}", opened("M1a", "i", ""))),
                ("qualifiers", format!("_Z1f{}", opened("U1a", "i", ""))),
                ("templates", format!("_Z1f{}", opened("1aI", "i", "E"))),
                ("nested names", format!("_Z{}", opened("N", "1a", "E"))),
                ("scopes", format!("_ZN{}E", opened("1a", "1b", ""))),
                ("local names", format!("_Z{}", opened("Z1avE", "1b", ""))),
                (
                    "local functions",
                    format!("_Z{}", opened("Z", "1a", "vE1b")),
                ),
                (
                    "literals",
                    format!("_Z1fI{}Evv", opened("L_Z1aI", "i", "EvvE")),
                ),
                (
                    "expressions",
                    format!("_Z1fIX{}EEvv", opened("ng", "Li1E", "")),
                ),
                (
                    "sums",
                    format!("_Z1fIX{}EEvv", opened("pl", "Li1E", "Li1E")),
                ),
                ("calls", format!("_Z1fIX{}EEvv", opened("cl", "Li1E", "E"))),
                ("casts", format!("_Z1fIX{}EEvv", opened("cvi", "Li1E", ""))),
                ("lists", format!("_Z1fIX{}EEvv", opened("tli", "Li1E", "E"))),
                (
                    "designators",
                    format!("_Z1fIXil{}EEEvv", opened("di1a", "Li1E", "")),
                ),
                ("packs", format!("_Z1fI{}Evv", opened("J", "i", "E"))),
                ("lambdas", format!("_Z1f{}", opened("N1aUl", "i", "E_E"))),
                (
                    "declarations",
                    format!("_Z1fI{}iEvv", opened("Tt", "Ty", "E")),
                ),
                (
                    "parameter packs",
                    format!("_Z1fI{}iEvv", opened("Tp", "Ty", "")),
                ),
                ("decltypes", format!("_Z1f{}", opened("DTcv", "i", "Li1EE"))),
                ("thunks", format!("_Z{}", opened("Th1_", "1a", ""))),
                ("modules", format!("_Z{}", opened("W1m", "1a", ""))),
                ("v0 references", format!("_RMC1a{}", opened("R", "h", ""))),
                ("v0 paths", format!("_R{}", opened("Nv", "C1a", "1b"))),
                ("D pointers", format!("_D1a{}", opened("P", "i", ""))),
                (
                    "D templates",
                    format!("_D1a{}Z", opened("__T1bS", "1a", "Z")),
                ),
                ("D functions", format!("_D1a{}", opened("PF", "i", "Zv"))),
                ("D delegates", format!("_D1aF{}Zv", opened("DF", "i", "Zv"))),
                (
                    "D names",
                    format!("_D1a__T1b{}Zi", opened("S_D1c", "i", "")),
                ),
            ];
            for (name, mangled) in cases {
                let shown = demangle(&mangled, LIMIT);
                let whole = |text: &String| !text.contains("limit reached");
                assert!(
                    shown.as_ref().is_none_or(whole),
                    "{name}, {depth} deep: {shown:?}"
                );
                if depth == 50 {
                    let is_real = !matches!(name, "nested names" | "v0 references" | "D names");
                    assert!(shown.is_some() || !is_real, "{name}: {mangled}");
                }
            }
        }
    });
}

#[test]
fn malformed_names_stay_raw() {
    let cases = [
        "",
        "_",
        "_Z",
        "_D",
        "_R",
        "main",
        "_ZN3fo",
        "_Z99999999999999999999f",
        "_Z3foov_bar",
        "_ZSt",
        "_ZS_",
        "_ZT_",
        "_Z1fS9_",
        "_Z1fT_",
        "_Z1fILi1EE.cold.",
        "_Z1fv@",
        "_ZTV",
        "_ZGV",
        "_ZTh",
        "_Z1fIXEEvv",
        "_Z1fILfzzzzzzzzEEvv",
        "_Z1\u{e9}v",
        "_Z2\u{e9}\u{e9}v",
        "_D3foo",
        "_D3fooFZ",
        "_D99foo",
    ];
    let fine = ["_Z1fv@", "_Z1fILi1EE.cold."];
    for name in cases {
        let shown = demangle(name, LIMIT);
        assert_eq!(shown.is_some(), fine.contains(&name), "{name}: {shown:?}");
    }
}

/// Fragments of C++ and D names.
const PIECES: &[&str] = &[
    "_Z", "N", "E", "S_", "S0_", "St", "Sa", "T_", "T0_", "I", "J", "X", "L", "Li1E", "1a", "3foo",
    "C1", "D2", "i", "v", "P", "R", "O", "K", "F", "A3_", "M", "Dp", "DT", "Da", "sr", "cl", "cv",
    "pl", "gt", "fp_", "fL0p_", "fr", "sZ", "sP", "tl", "il", "di", "Ul", "E_", "Ut_", "Tn", "Ty",
    "Tk", "Tt", "Tp", "Q", "rQ", "W", "B1t", "TV", "Th1_", "GR", "Z", "_", "1", "9", "n", "u", "U",
    "_D", "Q", "Qa", "Qb", "__T", "Vi", "FZ", "MF", "H", "e", "@V1", ".cold", ".1", "\u{e9}",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_name_panics_or_passes_its_limit(
        scheme in prop::sample::select(vec!["_Z", "_ZN", "_Z1fI", "_D1a", "_R"]),
        pieces in prop::collection::vec(prop::sample::select(PIECES), 0..60),
        limit in prop::sample::select(vec![40_usize, 1000, LIMIT]),
    ) {
        let name = format!("{scheme}{}", pieces.concat());
        if let Some(text) = demangle(&name, limit) {
            prop_assert!(text.len() <= limit);
            prop_assert!(name.len() <= limit);
        }
    }

    #[test]
    fn no_name_of_ada_panics(name in "[a-zA-Z0-9_.]{0,40}") {
        if let Some(text) = demangle_ada(&name, LIMIT) {
            prop_assert_ne!(text, name);
        }
    }
}
