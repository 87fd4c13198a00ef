//! Modules of a symbolizer: which are the same, in which roots, and what becomes of removed ones.

mod common;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use backsight_symbolize::{
    Answers, ModuleId, ModuleInput, NewModule, Options, Request, Symbolizer, Tier,
};
use backsight_types::Reason;
use common::{Fixture, at, brief, find, symbol};

const SOURCE: &str = r#"
volatile int sink;
__attribute__((noinline)) void hidden(int x) {
    sink = x;
}
int main(int argc, char **argv) {
    hidden(argc);
    return 0;
}
"#;

const ID: &str = "0123456789abcdef0123456789abcdef01234567";

fn open(fixture: &Fixture, name: &str) -> ModuleInput {
    ModuleInput::open(&fixture.path(name)).expect("a regular file")
}

fn program() -> Fixture {
    let fixture = Fixture::new();
    fixture.write("a.c", SOURCE);
    fixture.must("cc", &["-g", "-O0", "-o", "a", "a.c"]);
    fixture
}

#[test]
fn the_same_file_is_one_module_until_it_is_removed_as_often() {
    let fixture = program();
    let (hidden, _) = symbol(&fixture.path("a"), "hidden");
    let symbolizer = Symbolizer::new(Options::default());
    let ids = [0; 3].map(|_| symbolizer.add(open(&fixture, "a"), None, None));
    assert_eq!(ids, [ids[0]; 3]);
    assert_eq!(symbolizer.usage().modules, 1);
    let want = "hidden@3";
    assert_eq!(brief(&find(&symbolizer, ids[0], hidden)), want);
    assert!(symbolizer.remove(ids[0]) && symbolizer.remove(ids[0]));
    assert_eq!(brief(&find(&symbolizer, ids[0], hidden)), want);
    assert!(symbolizer.remove(ids[0]));
    assert!(!symbolizer.remove(ids[0]));
    assert_eq!(find(&symbolizer, ids[0], hidden), Err(Reason::NoSymbols));
    let usage = symbolizer.usage();
    assert_eq!((usage.modules, usage.kept_bytes), (0, 0));
    assert!(symbolizer.load(ids[0]).is_err());

    // Its place is used again, and its ID is not.
    let other = symbolizer.add(open(&fixture, "a"), None, None);
    assert_ne!(other, ids[0]);
    let both = [at(ids[0], hidden), at(other, hidden)];
    for both in [both, [both[1], both[0]]] {
        let found = symbolizer.symbolize(&both);
        for (request, found) in both.iter().zip(&found) {
            match request.module == other {
                true => assert_eq!(brief(found), want),
                false => assert_eq!(*found, Err(Reason::NoSymbols)),
            }
        }
    }
    assert_eq!(symbolizer.module_ids(), [other]);
}

#[test]
fn another_file_is_another_module() {
    let fixture = program();
    let symbolizer = Symbolizer::new(Options::default());
    let first = symbolizer.add(open(&fixture, "a"), None, None);
    // A copy under another name, a file that was changed since, another build ID that it must
    // have.
    testkit::copy(fixture.path("a"), fixture.path("b")).expect("copied");
    let copy = symbolizer.add(open(&fixture, "b"), None, None);
    let wanted = symbolizer.add(open(&fixture, "a"), Some(ID.parse().expect("digits")), None);
    let mut bytes = std::fs::read(fixture.path("a")).expect("read");
    bytes.push(0);
    std::fs::write(fixture.path("a"), &bytes).expect("written");
    let changed = symbolizer.add(open(&fixture, "a"), None, None);
    let ids = [first, copy, wanted, changed];
    for (place, id) in ids.iter().enumerate() {
        assert!(!ids[..place].contains(id), "{place}: {ids:?}");
    }
    // Bytes that are shared are the same, and bytes that are equal need not be.
    let bytes: std::sync::Arc<[u8]> = bytes.into();
    let shared = [0; 2].map(|_| symbolizer.add(ModuleInput::Bytes(bytes.clone()), None, None));
    assert_eq!(shared[0], shared[1]);
    let id = ModuleInput::BuildId(ID.parse().expect("digits"));
    let by_id = [0; 2].map(|_| symbolizer.add(id.clone(), None, None));
    assert_eq!(by_id[0], by_id[1]);
    assert_eq!(symbolizer.usage().modules, 6);
}

#[test]
fn what_could_not_be_read_is_tried_again_when_it_is_added_again() {
    let fixture = program();
    let (hidden, _) = symbol(&fixture.path("a"), "hidden");
    let id = ModuleInput::BuildId(ID.parse().expect("digits"));
    let debug = fixture.path("debug");
    let symbolizer = Symbolizer::new(Options::default().with_debug_dirs(vec![debug]));
    let first = symbolizer.add(id.clone(), None, None);
    assert!(symbolizer.load(first).is_err());
    assert_eq!(find(&symbolizer, first, hidden), Err(Reason::NoSymbols));
    let flag = format!("-Wl,--build-id=0x{ID}");
    let there = format!("debug/.build-id/{}/{}", &ID[..2], &ID[2..]);
    fixture.write(&there, "");
    fixture.must("cc", &["-g", "-O0", &flag, "-o", &there, "a.c"]);
    assert_eq!(symbolizer.add(id, None, None), first);
    assert_eq!(brief(&find(&symbolizer, first, hidden)), "hidden@3");
}

/// Eight roots with a program each; those with an even number have its debug file, too.
fn roots() -> Result<Fixture, String> {
    let fixture = Fixture::new();
    for n in 0..8 {
        let source = SOURCE.replace("hidden", &format!("hidden{n}"));
        let name = format!("a{n}.c");
        fixture.write(&name, source);
        let id = format!("{n:02x}{}", &ID[2..]);
        let (flag, full) = (format!("-Wl,--build-id=0x{id}"), format!("full{n}"));
        fixture.must("cc", &["-g", "-O0", &flag, "-o", &full, &name]);
        fixture.write(&format!("root{n}/bin/a"), "");
        fixture.run("strip", &["-o", &format!("root{n}/bin/a"), &full])?;
        if n % 2 == 0 {
            let debug = format!("root{n}/usr/lib/debug/.build-id/{n:02x}/{}.debug", &ID[2..]);
            fixture.write(&debug, "");
            fixture.run("objcopy", &["--only-keep-debug", &full, &debug])?;
        }
    }
    Ok(fixture)
}

#[test]
fn modules_of_many_roots_share_one_symbolizer() {
    let fixture = match roots() {
        Ok(fixture) => fixture,
        Err(words) => return testkit::skip(&words),
    };
    let symbolizer = Symbolizer::new(Options::default());
    let add = |root: PathBuf, n: usize| {
        let file = std::fs::File::open(fixture.path(&format!("root{n}/bin/a"))).expect("opened");
        // The path begins at the root of the process.
        let input = ModuleInput::File {
            file: file.into(),
            path: Some(PathBuf::from("/bin/a")),
        };
        symbolizer.add_new(NewModule::new(input).with_roots(Some(vec![root])))
    };
    let ids: Vec<ModuleId> = (0..8)
        .map(|n| add(fixture.path(&format!("root{n}")), n))
        .collect();
    for (n, id) in ids.iter().enumerate() {
        let name = format!("hidden{n}");
        let (hidden, _) = symbol(&fixture.path(&format!("full{n}")), &name);
        let found = find(&symbolizer, *id, hidden);
        match n % 2 {
            0 => assert_eq!(brief(&found), format!("{name}@3")),
            _ => assert_eq!(found, Err(Reason::NoSymbols), "{n}"),
        }
    }
    // Another path of the same root, as that of another process of a container.
    std::os::unix::fs::symlink(fixture.path("root4"), fixture.path("again")).expect("a link");
    assert_eq!(add(fixture.path("again"), 4), ids[4]);
    // The same file in another root may have another debug file.
    let elsewhere = add(fixture.path("root5"), 4);
    assert_ne!(elsewhere, ids[4]);
    let (hidden, _) = symbol(&fixture.path("full4"), "hidden4");
    assert_eq!(find(&symbolizer, elsewhere, hidden), Err(Reason::NoSymbols));
    assert_eq!(symbolizer.usage().modules, 9);
}

/// The shortest time of a batch, of many.
fn batch_time(symbolizer: &Symbolizer, requests: &[Request], answers: &mut Answers) -> Duration {
    let once = |_| {
        let began = Instant::now();
        symbolizer.symbolize_into(requests, answers);
        began.elapsed()
    };
    (0..200).map(once).min().expect("a time")
}

/// With 100,000 modules a batch took 145 times as long as with 1,000.
#[test]
fn a_batch_costs_what_it_touches() {
    let fixture = program();
    let (hidden, _) = symbol(&fixture.path("a"), "hidden");
    let bytes = std::fs::read(fixture.path("a")).expect("read");
    let with = |modules: usize| {
        let symbolizer = Symbolizer::new(Options::default().with_tier(Tier::Flat));
        let add = |_| symbolizer.add(ModuleInput::Bytes(bytes.clone().into()), None, None);
        let twenty: Vec<ModuleId> = (0..20).map(add).collect();
        for _ in 20..modules {
            symbolizer.add(ModuleInput::Bytes([0; 1][..].into()), None, None);
        }
        let requests = twenty.iter().map(|id| at(*id, hidden));
        let requests: Vec<Request> = requests.collect();
        (symbolizer, requests, Answers::default())
    };
    let mut few = with(1_000);
    let mut many = with(100_000);
    let (mut with_few, mut with_many) = (Duration::MAX, Duration::MAX);
    for _ in 0..10 {
        for ((symbolizer, requests, answers), best) in
            [(&mut few, &mut with_few), (&mut many, &mut with_many)]
        {
            *best = batch_time(symbolizer, requests, answers).min(*best);
            assert_eq!(answers.iter().filter(Result::is_ok).count(), 20);
        }
    }
    println!("a batch of 20: {with_few:?} with 1,000 modules, {with_many:?} with 100,000");
    assert!(with_many < with_few * 4, "{with_few:?} {with_many:?}");
}
