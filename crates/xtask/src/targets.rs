//! The libraries and the command build for the machines that agents run on.
//!
//! Nothing is linked, so no linker or C library of a target is needed. What normalizes has no C in
//! it: it is checked with a C compiler that always fails. The rest has (zstd, xz, ring), and needs
//! one that compiles for the machine.

use std::process::{Command, ExitCode};

use testkit::tools::tool;

use crate::root::root;
use crate::rust_std::has_std;
use crate::shipped::shipped;
use crate::stop::CANNOT_BE_HAD;

/// A target, with a C compiler for its machine. One with another C library does for a check.
#[derive(Clone, Copy, Debug)]
struct Target {
    triple: &'static str,
    cc: &'static str,
}

/// No C compiler: nothing else is checked.
const ONLY_WHAT_NORMALIZES: &str = "";

const TARGETS: [Target; 6] = [
    Target {
        triple: "x86_64-unknown-linux-musl",
        cc: "cc",
    },
    Target {
        triple: "aarch64-unknown-linux-musl",
        cc: "aarch64-linux-gnu-gcc",
    },
    Target {
        triple: "aarch64-unknown-linux-gnu",
        cc: "aarch64-linux-gnu-gcc",
    },
    Target {
        triple: "aarch64-linux-android",
        cc: ONLY_WHAT_NORMALIZES,
    },
    // 32 bits: their C libraries declare sizes and inodes with other types.
    Target {
        triple: "armv7-unknown-linux-gnueabihf",
        cc: "arm-linux-gnueabihf-gcc",
    },
    Target {
        triple: "i686-unknown-linux-gnu",
        cc: "cc",
    },
];

/// What normalizes on a device, with the arguments that select it: no C in it.
const ON_DEVICE: [&[&str]; 2] = [
    &["-p", "vma-query", "-p", "backsight-normalize"],
    &[
        "-p",
        "backsight-formats",
        "--no-default-features",
        "--features",
        "ndjson",
    ],
];

/// Checks all targets, or those that are named; after `--on-device` only what normalizes.
pub(crate) fn run(args: &[&str]) -> ExitCode {
    let (on_device, only) = match args {
        ["--on-device", only @ ..] => (true, only),
        only => (false, only),
    };
    let wanted = |target: &&Target| only.is_empty() || only.contains(&target.triple);
    let targets: Vec<&Target> = TARGETS.iter().filter(wanted).collect();
    if targets.is_empty() || targets.len() < only.len() {
        let known: Vec<&str> = TARGETS.iter().map(|target| target.triple).collect();
        eprintln!("targets: one of {}", known.join(", "));
        return ExitCode::from(2);
    }
    let rest = match shipped() {
        _ if on_device => Vec::new(),
        Ok(all) => all.into_iter().map(|of| of.name).collect::<Vec<_>>(),
        Err(why) => {
            eprintln!("targets: {why}");
            return ExitCode::FAILURE;
        }
    };
    let results = targets.iter().map(|target| target.checked(&rest));
    let results: Vec<Checked> = results.collect();
    for (target, checked) in targets.iter().zip(&results) {
        println!("targets: {}: {}", target.triple, checked.said());
    }
    match () {
        () if results.iter().any(|it| matches!(it, Checked::Failed(_))) => ExitCode::FAILURE,
        () if results.iter().any(|it| matches!(it, Checked::InPart(_))) => {
            ExitCode::from(CANNOT_BE_HAD)
        }
        () => ExitCode::SUCCESS,
    }
}

/// What became of a target.
enum Checked {
    All,
    /// What normalizes; the rest was not asked for.
    OnDevice,
    /// Something that is needed cannot be had here.
    InPart(String),
    Failed(String),
}

impl Checked {
    fn said(&self) -> String {
        match self {
            Self::All => "the libraries and the command build".to_owned(),
            Self::OnDevice => "what normalizes builds".to_owned(),
            Self::InPart(why) => format!("not all could be checked: {why}"),
            Self::Failed(what) => format!("FAILED: {what}"),
        }
    }
}

impl Target {
    fn checked(&self, rest: &[String]) -> Checked {
        let Self { triple, cc } = self;
        if !has_std(triple) {
            return Checked::InPart(format!("no Rust for it: rustup target add {triple}"));
        }
        for args in ON_DEVICE {
            if !self.check(args, "false") {
                return Checked::Failed(format!(
                    "cargo check --target {triple} {}",
                    args.join(" ")
                ));
            }
        }
        if rest.is_empty() || *cc == ONLY_WHAT_NORMALIZES {
            return Checked::OnDevice;
        }
        if tool(cc).is_none() {
            return Checked::InPart(format!("what normalizes builds; no {cc} for the rest"));
        }
        let names = rest.iter().flat_map(|name| ["-p", name.as_str()]);
        let args: Vec<&str> = names.chain(["--all-features"]).collect();
        match self.check(&args, cc) {
            true => Checked::All,
            false => Checked::Failed(format!("cargo check --target {triple} {}", args.join(" "))),
        }
    }

    fn check(&self, args: &[&str], cc: &str) -> bool {
        let variable = format!("CC_{}", self.triple.replace('-', "_"));
        let status = Command::new(env!("CARGO"))
            .current_dir(root())
            .env(variable, cc)
            .args(["check", "--quiet", "--locked", "--target", self.triple])
            .args(args)
            .status();
        status.is_ok_and(|status| status.success())
    }
}

#[cfg(test)]
mod tests {
    use super::{Checked, TARGETS};

    #[test]
    fn each_target_is_named_once() {
        let mut triples = TARGETS.map(|target| target.triple).to_vec();
        triples.sort_unstable();
        triples.dedup();
        assert_eq!(triples.len(), TARGETS.len());
    }

    #[test]
    fn a_failure_is_said_as_one() {
        assert!(
            Checked::Failed("x".to_owned())
                .said()
                .starts_with("FAILED: x")
        );
        assert!(!Checked::InPart("x".to_owned()).said().contains("FAILED"));
    }
}
