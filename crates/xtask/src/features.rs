//! Each shipped crate builds without its features, and with each of them alone; and the crates
//! that are to be embedded everywhere bring few others.

use std::collections::BTreeSet;
use std::process::Command;

use crate::root::root;
use crate::shipped::{Shipped, shipped};

/// Checks all of them, and says what does not build.
pub(crate) fn run() -> Result<String, String> {
    let all = shipped()?;
    let runs: Vec<Vec<String>> = all.iter().flat_map(runs_of).collect();
    let mut failed = Vec::new();
    for args in &runs {
        let mut cargo = Command::new(env!("CARGO"));
        let checked = cargo
            .current_dir(root())
            .args(["check", "--quiet", "--locked"])
            .args(args)
            .status()
            .map_err(|why| format!("cargo check: {why}"))?;
        if !checked.success() {
            failed.push(format!("cargo check {}", args.join(" ")));
        }
    }
    for (name, most) in SMALL {
        let bring = crates_with(name)?;
        if bring.len() > most {
            failed.push(format!(
                "{name} brings {} crates, itself included, more than {most}: {bring:?}",
                bring.len()
            ));
        }
    }
    match failed.as_slice() {
        [] => Ok(format!(
            "features: {} crates build, in {} ways",
            all.len(),
            runs.len()
        )),
        _ => Err(format!("features: these fail\n{}", failed.join("\n"))),
    }
}

/// Crates, and how many they may be at most with all that they need when built without
/// features (docs/EMBEDDING.md).
const SMALL: [(&str, usize); 2] = [("vma-query", 8), ("backsight-normalize", 14)];

/// Returns all crates that this one needs, and itself.
fn crates_with(name: &str) -> Result<BTreeSet<String>, String> {
    let mut cargo = Command::new(env!("CARGO"));
    let told = cargo
        .current_dir(root())
        .args([
            "tree",
            "--locked",
            "--no-default-features",
            "-e",
            "normal,build",
        ])
        .args(["--prefix", "none", "--format", "{p}", "-p", name])
        .output()
        .map_err(|why| format!("cargo tree: {why}"))?;
    let text = String::from_utf8_lossy(&told.stdout);
    let named = text.lines().filter_map(|line| line.split(' ').next());
    let all: BTreeSet<String> = named
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    match told.status.success() && !all.is_empty() {
        true => Ok(all),
        false => Err(format!(
            "cargo tree: {}",
            String::from_utf8_lossy(&told.stderr)
        )),
    }
}

/// Returns what cargo is asked to check of a crate.
fn runs_of(of: &Shipped) -> Vec<Vec<String>> {
    let bare = ["-p", &of.name, "--no-default-features"].map(str::to_owned);
    let one = |feature: &String| [&bare[..], &["--features".to_owned(), feature.clone()]].concat();
    let ones = of.features.iter().map(one);
    std::iter::once(bare.to_vec()).chain(ones).collect()
}

#[cfg(test)]
mod tests {
    use super::{Shipped, runs_of};

    #[test]
    fn each_feature_stands_alone_once() {
        let of = Shipped {
            name: "a".to_owned(),
            has_library: true,
            features: vec!["x".to_owned(), "y".to_owned()],
        };
        let runs: Vec<String> = runs_of(&of).iter().map(|args| args.join(" ")).collect();
        let want = [
            "-p a --no-default-features",
            "-p a --no-default-features --features x",
            "-p a --no-default-features --features y",
        ];
        assert_eq!(runs, want);
    }
}
