//! A3: the shares of known hot functions, beside a simultaneous perf record.

use std::fs;
use std::process::{Command, Stdio};

use testkit::busy::busy;
use testkit::child::KillOnDrop;

use super::bench::{Bench, percent};
use super::stacks::{NamedStack, folded, of_perf};

/// `hot_rust` takes three quarters of the time.
const RUST: &str = "
use std::hint::black_box;
#[inline(never)]
fn hot_rust(turns: u64) { for i in 0..turns { black_box(i.wrapping_mul(31)); } black_box(turns); }
#[inline(never)]
fn warm_rust(turns: u64) { for i in 0..turns { black_box(i.wrapping_mul(31)); } }
fn main() { loop { hot_rust(30_000); warm_rust(10_000); } }
";

/// A template, and a method of a class.
const CPP: &str = "
volatile unsigned long sink;
template <int N> struct Worker {
    __attribute__((noinline)) void hot(unsigned long n) { for (unsigned long i = 0; i < n * N; i++) sink = sink * 31 + i; }
};
__attribute__((noinline)) void warm_cpp(unsigned long n) { for (unsigned long i = 0; i < n; i++) sink = sink * 31 + i; }
int main() { Worker<3> worker; for (;;) { worker.hot(10000); warm_cpp(10000); } }
";

/// A program, and a function whose share of its samples is compared.
const COMPARED: [(&str, &str); 8] = [
    ("testkit-busy", "hot"),
    ("testkit-busy", "warm"),
    ("in_rust", "hot_rust"),
    ("in_rust", "warm_rust"),
    ("in_cpp", "Worker<3>::hot"),
    ("in_cpp", "warm_cpp"),
    ("python3", "_PyEval_EvalFrameDefault"),
    // Of the loop of a shell, whatever it calls.
    ("sh", ""),
];

pub(super) fn run(bench: &Bench) -> Result<String, String> {
    let _running = [
        start(Command::new(busy(true)?).args(["spin", "9000000"]))?,
        start(&mut compiled(
            bench,
            "rustc",
            RUST,
            "in_rust",
            "rs",
            &["-O", "-g"],
        )?)?,
        start(&mut compiled(
            bench,
            "g++",
            CPP,
            "in_cpp",
            "cc",
            &["-O2", "-g"],
        )?)?,
        start(Command::new("python3").args(["-c", "while True: sum(i * i for i in range(1000))"]))?,
        start(Command::new("sh").args(["-c", "while :; do :; done"]))?,
    ];
    let seconds = bench.seconds.to_string();
    let args = [
        "-a",
        "-F",
        "499",
        "-d",
        &seconds,
        "--no-inlines",
        "-o",
        "a3.folded",
    ];
    let mut ours = bench.record(&args).spawn().map_err(|why| why.to_string())?;
    let theirs = bench.perf(&["-g", "-F", "499", "-o", "a3.data"]).status();
    let _ = ours.wait();
    theirs.map_err(|why| why.to_string())?;
    let (ours, theirs) = (
        folded(&bench.path("a3.folded"))?,
        of_perf(bench, "a3.data")?,
    );
    let mut worst = 0.0_f64;
    let rows = COMPARED.map(|(process, function)| {
        let name = match function {
            // The shell's hottest function, as we name it.
            "" => hottest(&ours, process),
            function => function.to_owned(),
        };
        let (mine, perf) = (share(&ours, process, &name), share(&theirs, process, &name));
        worst = worst.max((mine - perf).abs());
        format!("{process} {name} {mine:.1} % (perf {perf:.1} %)")
    });
    Ok(format!(
        "{}; at most {worst:.1} points apart",
        rows.join(", ")
    ))
}

fn start(command: &mut Command) -> Result<KillOnDrop, String> {
    let started = command.stdout(Stdio::null()).spawn();
    started
        .map(KillOnDrop)
        .map_err(|why| format!("{command:?}: {why}"))
}

fn compiled(
    bench: &Bench,
    compiler: &str,
    source: &str,
    name: &str,
    ending: &str,
    flags: &[&str],
) -> Result<Command, String> {
    let path = bench.path(&format!("{name}.{ending}"));
    fs::write(&path, source).map_err(|why| why.to_string())?;
    let out = bench.path(name);
    let mut command = Command::new(compiler);
    command.args(flags).arg("-o").args([&out, &path]);
    super::bench::printed(&mut command)?;
    Ok(Command::new(out))
}

/// Returns the samples of a process, by their innermost function.
fn leaves<'a>(stacks: &'a [NamedStack], process: &'a str) -> impl Iterator<Item = (&'a str, u64)> {
    // The kernel keeps 15 bytes of a name.
    let of = stacks
        .iter()
        .filter(move |it| it.process == process || it.process.starts_with(&format!("{process}-")));
    of.map(|it| (it.functions.first().map_or("", |name| &**name), it.count))
}

fn share(stacks: &[NamedStack], process: &str, function: &str) -> f64 {
    // Rust's names have their crate and a hash, C++ has parameters.
    let is_it = |name: &str| {
        let name = name.split('(').next().unwrap_or_default();
        let hash = name.rsplit_once("::h").filter(|(_, hash)| hash.len() == 16);
        let name = hash.map_or(name, |(name, _)| name);
        name == function
            || name
                .strip_suffix(function)
                .is_some_and(|rest| rest.ends_with("::"))
    };
    let (mut part, mut whole) = (0, 0);
    for (name, count) in leaves(stacks, process) {
        whole += count;
        part += if is_it(name) { count } else { 0 };
    }
    percent(part, whole)
}

fn hottest(stacks: &[NamedStack], process: &str) -> String {
    let mut counts = std::collections::BTreeMap::<&str, u64>::new();
    for (name, count) in leaves(stacks, process) {
        *counts.entry(name).or_default() += count;
    }
    let hottest = counts.into_iter().max_by_key(|(_, count)| *count);
    hottest.map_or_else(String::new, |(name, _)| name.to_owned())
}
