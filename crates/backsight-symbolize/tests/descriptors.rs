//! How many files a symbolizer holds open: a process of its own, whose limit is lowered.

use std::path::Path;

use backsight_symbolize::{
    Access, Budget, Frames, ModuleId, ModuleInput, Options, Place, Request, Symbolizer, Tier,
};
use backsight_types::{Lookup, Reason, VirtOffset};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use object::{Object as _, ObjectSymbol as _};

const PROGRAMS: usize = 300;

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("/proc").count()
}

fn entry_of(path: &Path) -> u64 {
    let bytes = std::fs::read(path).expect("read");
    let file = object::File::parse(&*bytes).expect("ELF");
    let symbols = file.symbols();
    let mut main = symbols.filter(|symbol| symbol.name() == Ok("main"));
    main.next().expect("a symbol").address()
}

/// As under `ulimit -n 64`.
#[test]
fn three_hundred_programs_with_sixty_four_descriptors() {
    let dir = tempfile::tempdir().expect("a directory");
    let source = dir.path().join("a.c");
    std::fs::write(&source, "int main(void) { return 0; }\n").expect("written");
    let first = dir.path().join("a0");
    let mut compiler = std::process::Command::new("cc");
    let compiled = compiler
        .arg("-g")
        .arg("-o")
        .args([&first, &source])
        .status();
    if !compiled.is_ok_and(|status| status.success()) {
        return testkit::skip("no C compiler");
    }
    let paths: Vec<_> = (0..PROGRAMS)
        .map(|n| dir.path().join(format!("a{n}")))
        .collect();
    for path in &paths[1..] {
        testkit::copy(&first, path).expect("copied");
    }
    let main = entry_of(&first);
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    setrlimit(Resource::RLIMIT_NOFILE, 64, hard).expect("a lower limit");
    for (access, tier) in [
        (Access::Auto, Tier::Auto),
        (Access::Map, Tier::Flat),
        (Access::Read, Tier::Lazy),
    ] {
        let before = open_files();
        let options = Options::default().with_access(access).with_tier(tier);
        let budget = Budget::default()
            .with_open_files(16)
            .with_kept_bytes(64 << 10);
        let symbolizer = Symbolizer::new(options.with_budget(budget));
        let add = |path: &std::path::PathBuf| {
            let input = ModuleInput::open(path).expect("as many as wanted");
            let id = symbolizer.add(input, None, None);
            assert!(open_files() <= before + 16, "{access:?}");
            id
        };
        let modules: Vec<ModuleId> = paths.iter().map(add).collect();
        let request =
            |id: &ModuleId| Request::new(*id, Place::Virt(VirtOffset(main)), Lookup::Exact);
        let requests: Vec<Request> = modules.iter().map(request).collect();
        for _ in 0..2 {
            let found = symbolizer.symbolize(&requests);
            let name = |found: &Result<Frames, Reason>| {
                let frame = found.as_ref().ok()?.first()?;
                frame.function.as_deref().map(str::to_owned)
            };
            let names: Vec<_> = found.iter().map(name).collect();
            assert_eq!(names, vec![Some("main".to_owned()); PROGRAMS], "{access:?}");
            let now = open_files();
            let most = match access {
                // Those of which the bytes are read again.
                Access::Read => before + 16,
                _ => before,
            };
            assert!(now <= most, "{access:?}: {now} of {most}");
        }
        for module in modules {
            assert!(symbolizer.remove(module));
        }
        assert_eq!(open_files(), before, "{access:?}");
    }
}
