//! Compares names of real libraries and compilers with the demanglers of LLVM and GNU.
//!
//! The full comparison (half a million names of Debian's packages, LLVM 23) is in
//! `docs/decisions/0013-names-are-demangled-here.md`; this test uses the libraries of the
//! machine that it runs on.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use backsight_demangle::{demangle, demangle_ada};

const LIMIT: usize = 64 << 10;

/// Runs a tool on these lines; `None` if it is not installed.
fn run(tool: &str, args: &[&str], lines: &[String]) -> Option<Vec<String>> {
    let mut child = Command::new(testkit::tools::tool(tool)?)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a tool");
    let mut input = child.stdin.take().expect("a pipe");
    let text = lines.join("\n") + "\n";
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = child.wait_with_output().expect("an output");
    writer.join().expect("no panic").expect("written");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    Some(text.lines().map(str::to_owned).collect())
}

/// Returns the symbol names of these files, without versions.
fn symbols(args: &[&str], files: &[String]) -> Option<Vec<String>> {
    let output = Command::new(testkit::tools::tool("nm")?)
        .args(args)
        .arg("--without-symbol-versions")
        .args(files)
        .output()
        .expect("a tool");
    let text = String::from_utf8_lossy(&output.stdout);
    let names = text.lines().filter_map(|line| line.rsplit(' ').next());
    let all: BTreeSet<&str> = names.collect();
    Some(all.into_iter().map(str::to_owned).collect())
}

/// Returns the C++ libraries in the linker's default path.
fn libraries() -> Vec<String> {
    let words = [
        "libstdc++",
        "libLLVM",
        "libclang-cpp",
        "libicu",
        "libboost",
        "libc++",
    ];
    let dirs = [
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/usr/lib64",
    ];
    let entries = dirs.iter().filter_map(|dir| std::fs::read_dir(dir).ok());
    let names = entries.flatten().filter_map(|entry| {
        let path = entry.ok()?.path();
        let name = path.file_name()?.to_str()?;
        let is_wanted = words.iter().any(|word| name.starts_with(word)) && name.contains(".so");
        is_wanted.then(|| path.display().to_string())
    });
    names.filter(|path| Path::new(path).exists()).collect()
}

/// Compares with the output of LLVM 19; older versions place parentheses and spaces differently.
/// A name that LLVM does not demangle may be demangled here.
fn compare_with_llvm(names: &[String]) -> Option<usize> {
    let theirs = run("llvm-cxxfilt-19", &[], names)?;
    assert_eq!(theirs.len(), names.len());
    let mut same = 0;
    for (name, theirs) in names.iter().zip(&theirs) {
        let ours = demangle(name, LIMIT);
        if theirs == name {
            continue;
        }
        // LLVM writes clones differently, and keeps the hash of Rust names.
        if theirs.contains(" (.") || name.contains("17h") {
            assert!(ours.is_some(), "{name}");
            continue;
        }
        assert_eq!(ours.as_deref(), Some(theirs.as_str()), "{name}");
        same += 1;
    }
    Some(same)
}

#[test]
fn names_of_libraries_match_llvm() {
    let Some(names) = symbols(&["-D"], &libraries()) else {
        return testkit::skip("no nm");
    };
    let mangled: Vec<String> = names
        .into_iter()
        .filter(|it| it.starts_with("_Z"))
        .collect();
    if mangled.is_empty() {
        return testkit::skip("no C++ library");
    }
    // Takes a sample of the hundreds of thousands of names.
    let step = mangled.len().div_ceil(40_000);
    let mangled: Vec<String> = mangled.into_iter().step_by(step).collect();
    match compare_with_llvm(&mangled) {
        None => testkit::skip("no llvm-cxxfilt-19"),
        Some(same) => assert!(same > 1000, "{same} of {}", mangled.len()),
    }
}

/// C++ features that have manglings of their own.
const SOURCE: &str = r"
template<class T> concept Num = sizeof(T) > 1;
template<class T, class U> concept With = Num<T> && Num<U>;
struct Point { int x; int y; };
struct Pair { int first; Point second; void f() const & noexcept {} int data; };
namespace { int hidden(int k) { return k; } }
template<Num T> T constrained(T a) { return a; }
template<class T> T trailing(T a) requires Num<T> { return a; }
template<auto V> int value() { return 1; }
template<Pair P> int object() { return P.first; }
template<template<class...> class C> int templates() { return 2; }
template<class... T> struct List {};
template<class... T> auto fold(T... t) -> decltype((t + ...)) { return (t + ...); }
template<class... T> int packs(List<T...>, List<T*...>, T&&...) { return sizeof...(T); }
template<class T> int (&array(T (&a)[3][4]))[sizeof(T) > 1 ? 2 : 1] { static int x[2]; return (int(&)[2])x; }
template<class F> int call(F f) { return f(1); }
struct Member {
    int k;
    int run() const {
        auto outer = [this](auto x, int y) { return [x](auto z) { return z + x; }(y) + k; };
        return outer(2, 3);
    }
    template<class T> operator T() { return T(); }
};
struct Base { virtual ~Base() {} virtual Base *clone() { return this; } };
struct Other { virtual ~Other() {} virtual int g() { return 1; } };
struct Derived : virtual Other, Base { Derived *clone() override { return this; } int g() override { return 2; } };
int literals(long double, char32_t, decltype(nullptr), ...) { return 1; }
int use(int n) {
    int grid[3][4] = {};
    constrained(n); trailing(n); value<1>(); value<'a'>(); value<nullptr>(); value<&Pair::f>();
    value<&Pair::data>(); object<Pair{1, {2, 3}}>(); templates<List>(); fold(1, 2L);
    packs(List<int, char>(), List<int *, char *>(), 1, 'a'); array(grid);
    int converted = Member{1}; static int counter = n;
    Derived derived; literals(1.0L, U'a', nullptr, 1);
    return call([](int x) { return x; }) + Member{1}.run() + converted + counter + hidden(n);
}
";

#[test]
fn names_of_compilers_match_llvm() {
    let mut compared = 0;
    for compiler in ["g++", "clang++", "clang++-19"] {
        let Some(compiler) = testkit::tools::tool(compiler) else {
            continue;
        };
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("a.cpp"), SOURCE).expect("written");
        let done = Command::new(compiler)
            .current_dir(dir.path())
            .args(["-std=c++20", "-w", "-c", "a.cpp", "-o", "a.o"])
            .output()
            .expect("a tool");
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{said}");
        let object = dir.path().join("a.o").display().to_string();
        let Some(names) = symbols(&[], &[object]) else {
            return testkit::skip("no nm");
        };
        let mangled: Vec<String> = names
            .into_iter()
            .filter(|it| it.starts_with("_Z"))
            .collect();
        for name in &mangled {
            assert!(demangle(name, LIMIT).is_some(), "{name}");
        }
        match compare_with_llvm(&mangled) {
            None => return testkit::skip("no llvm-cxxfilt-19"),
            Some(same) => compared += same,
        }
    }
    if compared == 0 {
        testkit::skip("no C++ compiler");
    }
}

/// Names of D and Ada, whose libraries few machines have.
#[test]
fn names_of_d_and_ada_match_gnu() {
    let d = [
        "_D3std5array__T8AppenderTAyaZQo3putMFNaNbNfAyaZv",
        "_D3std4uuid4UUID6__ctorMFNaNbNcNiNfKxG16hZSQBpQBoQBm",
        "_D3std5stdio4File6__initZ",
        "_D3foo3barFPFiZvDFZiKiLjZv",
        "_D3foo__T3barVAyaa3_616263Vb1Vii42Z3barFZv",
        "_D3std3uni8Grapheme__T6__ctorTiZQkMFNaNbNcNiNfMxAiXSQByQBxQBw",
        "_D4core4sync5mutex5Mutex__T6__ctorTOCQBjQBhQBfQBcZQxMOFNbNiNebZOQBc",
    ];
    let ada = [
        "pkg__work__2",
        "pkg__child__work",
        "_ada_hello",
        "pkg___elabb",
        "pkg__Oadd__3",
        "pkg__workerTKB",
        "pkg__workerTK__step",
        "pkg__lock__takeN",
        "pkg__tSR__2",
        "pkg__outer__inner.7",
        "pkg__helper_nameXn",
    ];
    let texts = |style: &str, names: &[&str]| {
        let lines: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        run("c++filt", &["-s", style], &lines)
    };
    let (Some(of_d), Some(of_ada)) = (texts("dlang", &d), texts("gnat", &ada)) else {
        return testkit::skip("no c++filt");
    };
    for (name, theirs) in d.iter().zip(of_d) {
        assert_eq!(demangle(name, LIMIT).as_deref(), Some(&*theirs), "{name}");
    }
    for (name, theirs) in ada.iter().zip(of_ada) {
        assert_eq!(
            demangle_ada(name, LIMIT).as_deref(),
            Some(&*theirs),
            "{name}"
        );
    }
}
