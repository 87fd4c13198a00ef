//! What a batch promises: one value per request, in order, whatever else is in
//! it.

mod common;

use std::sync::OnceLock;

use backsight_symbolize::{
    Frames, ModuleId, ModuleInput, Options, Place, Request, Symbolizer, Tier,
};
use backsight_types::{FileOffset, Lookup, Reason, VirtOffset};
use common::{Fixture, at, brief, find, symbol, symbolizer_of};
use proptest::prelude::*;

const SOURCE: &str = r#"
static volatile int sink;
static inline __attribute__((always_inline)) void folded(int x) { sink = x; }
__attribute__((noinline)) void first(int x) { folded(x); }
__attribute__((noinline)) void second(int x) { sink = -x; folded(x); }
int main(int argc, char **argv) { first(argc); second(argc); return 0; }
"#;

/// A symbolizer and three modules: two good ones and one that is no ELF file.
fn shared() -> &'static (Symbolizer, [ModuleId; 3]) {
    static SHARED: OnceLock<(Symbolizer, [ModuleId; 3])> = OnceLock::new();
    SHARED.get_or_init(|| {
        let fixture = Fixture::new();
        fixture.write("a.c", SOURCE);
        fixture.must("cc", &["-g", "-O2", "-o", "a", "a.c"]);
        fixture.must("cc", &["-O0", "-o", "b", "a.c"]);
        let symbolizer = Symbolizer::new(Options::default());
        let sources = [
            ModuleInput::open(&fixture.path("a")).expect("a file"),
            ModuleInput::open(&fixture.path("b")).expect("a file"),
            ModuleInput::Bytes(b"garbage".as_slice().into()),
        ];
        let modules = sources.map(|input| symbolizer.add(input, None, None));
        for module in &modules[..2] {
            symbolizer.load(*module).expect("readable");
        }
        (symbolizer, modules)
    })
}

fn requests() -> impl Strategy<Value = Vec<Request>> {
    let request = (0..3_usize, 0x1000..0x1300_u64, any::<bool>(), any::<bool>());
    let request = request.prop_map(|(module, raw, virt, exact)| {
        Request::new(
            shared().1[module],
            match virt {
                true => Place::Virt(VirtOffset(raw)),
                false => Place::File(FileOffset(raw)),
            },
            match exact {
                true => Lookup::Exact,
                false => Lookup::Return,
            },
        )
    });
    prop::collection::vec(request, 0..600)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_batch_is_its_requests_one_by_one(requests in requests()) {
        let symbolizer = &shared().0;
        let one_by_one: Vec<Result<Frames, Reason>> = requests
            .iter()
            .flat_map(|request| symbolizer.symbolize(&[*request]))
            .collect();
        prop_assert_eq!(symbolizer.symbolize(&requests), one_by_one);
    }

    #[test]
    fn a_batch_backwards_is_the_answers_backwards(requests in requests()) {
        let symbolizer = &shared().0;
        let backwards: Vec<Request> = requests.iter().rev().copied().collect();
        let mut answers = symbolizer.symbolize(&backwards);
        answers.reverse();
        prop_assert_eq!(symbolizer.symbolize(&requests), answers);
    }
}

#[test]
fn a_bad_module_costs_only_its_own_addresses() {
    let (symbolizer, [good, _, bad]) = shared();
    let of_another_symbolizer = {
        let other = Symbolizer::new(Options::default());
        let ids = [(); 9].map(|()| other.add(ModuleInput::Bytes(Vec::new().into()), None, None));
        ids[8]
    };
    let requests = [
        at(*bad, 0x1100),
        at(*good, u64::MAX),
        at(of_another_symbolizer, 0x1100),
        at(*bad, 0),
    ];
    let answers = symbolizer.symbolize(&requests);
    let want = [
        Reason::Unreadable,
        Reason::NoSymbols,
        Reason::NoSymbols,
        Reason::Unreadable,
    ];
    assert_eq!(answers, want.map(Err));
    assert!(symbolizer.symbolize(&[]).is_empty());
}

#[test]
fn threads_share_a_symbolizer() {
    let fixture = Fixture::new();
    fixture.write("a.c", SOURCE);
    fixture.must("cc", &["-g", "-O2", "-o", "a", "a.c"]);
    let path = fixture.path("a");
    let (start, size) = symbol(&path, "second");
    let (symbolizer, module) = symbolizer_of(&path);
    let ask = || -> Vec<_> {
        let addrs = start..start + size;
        addrs
            .map(|addr| brief(&find(&symbolizer, module, addr)))
            .collect()
    };
    let (one, other) = std::thread::scope(|scope| {
        let (one, other) = (scope.spawn(ask), scope.spawn(ask));
        (
            one.join().expect("no panic"),
            other.join().expect("no panic"),
        )
    });
    assert_eq!(one, other);
}

#[test]
fn a_return_address_is_looked_up_at_the_call() {
    let fixture = Fixture::new();
    // The call is the last instruction of `calls`: it returns into what follows.
    let source = "
        __attribute__((noreturn, noinline)) void stops(void) { __builtin_trap(); }
        __attribute__((noreturn, noinline)) void calls(void) {
            stops();
        }
        int main(void) { calls(); }
    ";
    fixture.write("a.c", source);
    fixture.must(
        "cc",
        &["-g", "-O1", "-fno-optimize-sibling-calls", "-o", "a", "a.c"],
    );
    let path = fixture.path("a");
    let (start, size) = symbol(&path, "calls");
    let (symbolizer, module) = symbolizer_of(&path);
    let end = start + size;
    let request = at(module, end).with_lookup(Lookup::Return);
    let answers = symbolizer.symbolize(&[request, at(module, 0).with_lookup(Lookup::Return)]);
    assert_eq!(brief(&answers[0]), "calls@4");
    assert_ne!(brief(&find(&symbolizer, module, end)), "calls@4");
    assert_eq!(
        answers[1],
        Err(Reason::NoSymbols),
        "nothing stands before 0"
    );
}

/// A thread that builds an index of a module takes other work up while it waits, and that
/// may want the same index: nobody may wait for himself, nor two for each other.
#[test]
fn batches_of_many_threads_wait_for_each_other_but_not_for_ever() {
    let fixture = Fixture::new();
    fixture.write("a.c", SOURCE);
    fixture.must("cc", &["-g", "-O2", "-o", "a", "a.c"]);
    fixture.must("cc", &["-g", "-O0", "-o", "b", "a.c"]);
    let own = std::env::current_exe().expect("this test");
    let paths = [fixture.path("a"), own, fixture.path("b")];
    let (done, is_done) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3);
        let pool = pool.build().expect("threads");
        for round in 0..12 {
            let tier = [Tier::Flat, Tier::Auto][round % 2];
            let options = Options::default().with_tier(tier);
            let symbolizer = Symbolizer::new(options);
            let modules: Vec<ModuleId> = paths
                .iter()
                .map(|path| symbolizer.add(ModuleInput::open(path).expect("a file"), None, None))
                .collect();
            let places =
                (0..200_u64).flat_map(|at| modules.iter().map(move |module| (*module, at)));
            let requests: Vec<Request> = places
                .map(|(module, at)| {
                    Request::new(
                        module,
                        Place::Virt(VirtOffset(0x1000 + at * 3)),
                        Lookup::Exact,
                    )
                })
                .collect();
            let answers: Vec<Vec<Result<Frames, Reason>>> = std::thread::scope(|scope| {
                let ask = || pool.install(|| symbolizer.symbolize(&requests));
                let asked: Vec<_> = (0..6).map(|_| scope.spawn(ask)).collect();
                asked
                    .into_iter()
                    .map(|it| it.join().expect("no panic"))
                    .collect()
            });
            assert!(
                answers.iter().all(|other| *other == answers[0]),
                "round {round}"
            );
        }
        done.send(()).expect("the test waits");
    });
    let waited = is_done.recv_timeout(std::time::Duration::from_secs(240));
    waited.expect("all batches come to an end");
}
