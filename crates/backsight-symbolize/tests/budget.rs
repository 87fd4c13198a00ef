//! What is kept between batches is bounded, and letting go of it changes no answer.

mod common;

use backsight_symbolize::{
    Access, Answers, Budget, Frames, ModuleId, ModuleInput, Options, Request, Symbolizer, Tier,
};
use backsight_types::Reason;
use common::Fixture;

const MODULES: usize = 8;

/// Programs that differ; `None`, and a word why not, without a compiler.
fn programs() -> Option<Fixture> {
    let fixture = Fixture::new();
    let function = |n| format!("int f{n}(int a) {{ return a * {n} + helper(a); }}\n");
    let functions: String = (0..200).map(function).collect();
    let helper = "static inline int helper(int a) { return a ^ 0x55; }\n";
    fixture.write(
        "a.c",
        format!("{helper}{functions}int main(void) {{ return 0; }}\n"),
    );
    if let Err(words) = fixture.run("gcc", &["-O2", "-g", "-o", "a0", "a.c"]) {
        testkit::skip(&words);
        return None;
    }
    let bytes = std::fs::read(fixture.path("a0")).expect("compiled");
    for n in 1..MODULES {
        fixture.write(&format!("a{n}"), &bytes);
    }
    Some(fixture)
}

fn options(kept_bytes: u64, tier: Tier, access: Access) -> Options {
    let mut budget = Budget::default();
    budget.kept_bytes = kept_bytes;
    Options::default()
        .with_budget(budget)
        .with_tier(tier)
        .with_access(access)
}

fn symbolizer(fixture: &Fixture, options: Options) -> (Symbolizer, Vec<ModuleId>) {
    let symbolizer = Symbolizer::new(options);
    let add = |n| {
        let input = ModuleInput::open(&fixture.path(&format!("a{n}")));
        symbolizer.add(input.expect("a regular file"), None, None)
    };
    let modules = (0..MODULES).map(add).collect();
    (symbolizer, modules)
}

/// Addresses of all modules, one module's after another's.
fn requests(modules: &[ModuleId]) -> Vec<Request> {
    let addresses = (0x1000..0x2000).step_by(16);
    let of_one = |addr| modules.iter().map(move |module| common::at(*module, addr));
    addresses.flat_map(of_one).collect()
}

fn answers(symbolizer: &Symbolizer, modules: &[ModuleId]) -> Vec<Result<Frames, Reason>> {
    symbolizer.symbolize(&requests(modules))
}

#[test]
fn a_budget_changes_no_answer() {
    let Some(fixture) = programs() else { return };
    let (unbounded, modules) = symbolizer(&fixture, Options::default());
    let want = answers(&unbounded, &modules);
    assert!(want.iter().flatten().count() > MODULES * 20);
    assert_eq!(unbounded.usage().evicted, 0);
    for tier in [Tier::Lazy, Tier::Flat, Tier::Auto] {
        for access in [Access::Auto, Access::Map, Access::Read] {
            let (bounded, modules) = symbolizer(&fixture, options(0, tier, access));
            for round in 1..=2 {
                assert_eq!(answers(&bounded, &modules), want, "{tier:?} {access:?}");
                let usage = bounded.usage();
                assert_eq!((usage.kept_bytes, usage.indexed), (0, 0));
                let least = u64::try_from(MODULES * round).expect("64 bits");
                assert!(usage.evicted >= least, "{usage:?}");
            }
        }
    }
}

#[test]
fn the_last_used_module_is_kept() {
    let Some(fixture) = programs() else { return };
    let (symbolizer, modules) = symbolizer(&fixture, options(u64::MAX, Tier::Flat, Access::Auto));
    for module in &modules {
        answers(&symbolizer, &[*module]);
    }
    let all = symbolizer.usage();
    assert_eq!((all.loaded, all.indexed), (MODULES, MODULES));
    symbolizer.evict(all.kept_bytes / 2);
    let half = symbolizer.usage();
    assert!(
        half.kept_bytes <= all.kept_bytes / 2 && half.indexed > 0,
        "{half:?}"
    );
    // The last ones are still there: asking for them builds nothing.
    let last = modules.len() - half.indexed;
    for module in &modules[last..] {
        answers(&symbolizer, &[*module]);
    }
    assert_eq!(symbolizer.usage().indexed, half.indexed);
    answers(&symbolizer, &modules[..1]);
    assert_eq!(symbolizer.usage().indexed, half.indexed + 1);
}

#[test]
fn answers_outlive_eviction() {
    let Some(fixture) = programs() else { return };
    for tier in [Tier::Lazy, Tier::Flat] {
        let (symbolizer, modules) = symbolizer(&fixture, options(0, tier, Access::Auto));
        let want = answers(&symbolizer, &modules);
        let mut borrowed = Answers::default();
        symbolizer.symbolize_into(&requests(&modules), &mut borrowed);
        symbolizer.evict(0);
        assert_eq!(symbolizer.usage().kept_bytes, 0);
        let owned = borrowed
            .iter()
            .map(|answer| answer.map(|stack| stack.to_frames()));
        assert_eq!(owned.collect::<Vec<_>>(), want, "{tier:?}");
    }
}

#[test]
fn a_file_that_was_read_stays_open_only_within_the_budget() {
    let Some(fixture) = programs() else { return };
    let mut options = options(0, Tier::Flat, Access::Read);
    options.budget.open_files = 4;
    let (symbolizer, modules) = symbolizer(&fixture, options);
    let want = answers(&symbolizer, &modules);
    // Of the others the bytes must be kept, which the usage tells.
    let usage = symbolizer.usage();
    assert_eq!((usage.loaded, usage.evicted), (MODULES - 4, 4));
    assert!(usage.kept_bytes > 0);
    // And no file is opened by its path again.
    for n in 0..MODULES {
        std::fs::remove_file(fixture.path(&format!("a{n}"))).expect("removed");
    }
    assert_eq!(answers(&symbolizer, &modules), want);
}

#[test]
fn a_module_that_would_take_too_much_is_not_indexed() {
    let Some(fixture) = programs() else { return };
    for (indexing_bytes, indexed) in [(0, 0), (u64::MAX, MODULES)] {
        let mut options = options(u64::MAX, Tier::Auto, Access::Auto);
        options.budget.indexing_bytes = indexing_bytes;
        let (symbolizer, modules) = symbolizer(&fixture, options);
        // Together enough of each to be worth an index.
        for _ in 0..8 {
            answers(&symbolizer, &modules);
        }
        assert_eq!(symbolizer.usage().indexed, indexed);
    }
}

#[test]
fn each_request_is_answered_once_by_its_place() {
    let Some(fixture) = programs() else { return };
    let (symbolizer, modules) = symbolizer(&fixture, options(0, Tier::Auto, Access::Auto));
    let mut requests = requests(&modules);
    // In no order of modules.
    requests.reverse();
    let want = symbolizer.symbolize(&requests);
    let mut found = vec![Vec::new(); requests.len()];
    symbolizer.symbolize_each(&requests, &mut Answers::default(), |place, answer| {
        found[place].push(answer.map(|stack| stack.to_frames()));
    });
    let once: Vec<_> = want.into_iter().map(|answer| vec![answer]).collect();
    assert_eq!(found, once);
    symbolizer.symbolize_each(&[], &mut Answers::default(), |_, _| unreachable!());
}
