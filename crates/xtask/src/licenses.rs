//! `cargo xtask licenses`: the licence of each dependency is one that `deny.toml` allows.
//!
//! `cargo deny check licenses` asks for the same, and takes minutes to install. This reads the
//! same lists, and the licences that `cargo metadata` has.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::root::root;

/// What `deny.toml` allows.
#[derive(Debug, Default)]
struct AllowedLicenses {
    everywhere: BTreeSet<String>,
    /// Each with the crate that alone may have it.
    exceptions: BTreeSet<(String, String)>,
}

/// Checks every dependency from a registry, on each of the platforms that `deny.toml` names.
pub(crate) fn run() -> Result<String, String> {
    let root = root();
    let text = std::fs::read_to_string(root.join("deny.toml"));
    let text = text.map_err(|error| format!("deny.toml: {error}"))?;
    let deny: toml::Table = text
        .parse()
        .map_err(|error| format!("deny.toml: {error}"))?;
    let allowed = AllowedLicenses::of(&deny)?;
    let targets = strings(deny.get("graph").and_then(|graph| graph.get("targets")));
    let mut seen = BTreeSet::new();
    let mut used = BTreeSet::new();
    let mut wrong = BTreeSet::new();
    for target in targets {
        for package in packages(&root, &target)? {
            let field = |key: &str| package.get(key).and_then(Value::as_str).unwrap_or_default();
            // Ours have no source.
            if field("source").is_empty() {
                continue;
            }
            let (name, license) = (field("name"), field("license"));
            match allowed.permits(name, license) {
                Some(by) => used.extend(by),
                None => {
                    wrong.insert(format!("{name} {}: {license:?}", field("version")));
                }
            }
            seen.insert(package.get("id").map(Value::to_string));
        }
    }
    for (license, of) in &allowed.exceptions {
        if !used.contains(&(license.clone(), of.clone())) {
            wrong.insert(format!(
                "deny.toml: the exception {license} of {of} is not needed"
            ));
        }
    }
    match wrong.is_empty() {
        true => Ok(format!(
            "licenses: of {} dependencies, all allowed",
            seen.len()
        )),
        false => {
            let wrong: Vec<String> = wrong.into_iter().collect();
            Err(format!(
                "licences that deny.toml does not allow:\n{}",
                wrong.join("\n")
            ))
        }
    }
}

/// Returns what cargo knows of all dependencies on this platform.
fn packages(root: &Path, target: &str) -> Result<Vec<Value>, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let words = [
        "metadata",
        "--format-version",
        "1",
        "--locked",
        "--all-features",
    ];
    let ran = Command::new(cargo)
        .current_dir(root)
        .args(words)
        .args(["--filter-platform", target])
        .output();
    let ran = ran.map_err(|error| format!("cargo metadata: {error}"))?;
    if !ran.status.success() {
        return Err(format!(
            "cargo metadata: {}",
            String::from_utf8_lossy(&ran.stderr)
        ));
    }
    let all: Value = serde_json::from_slice(&ran.stdout).map_err(|error| error.to_string())?;
    // The list has packages of other platforms, too; only those of the graph count.
    let nodes = all.get("resolve").and_then(|resolve| resolve.get("nodes"));
    let nodes = nodes.and_then(Value::as_array).cloned().unwrap_or_default();
    let ids: BTreeSet<String> = nodes
        .iter()
        .filter_map(|node| Some(node.get("id")?.to_string()))
        .collect();
    let packages = all.get("packages").and_then(Value::as_array).cloned();
    let mut packages = packages.ok_or("cargo metadata lists no packages")?;
    packages.retain(|package| {
        package
            .get("id")
            .is_some_and(|id| ids.contains(&id.to_string()))
    });
    Ok(packages)
}

fn strings(value: Option<&toml::Value>) -> Vec<String> {
    let all = value.and_then(toml::Value::as_array);
    let all = all.into_iter().flatten().filter_map(toml::Value::as_str);
    all.map(str::to_owned).collect()
}

impl AllowedLicenses {
    fn of(deny: &toml::Table) -> Result<Self, String> {
        let licenses = deny.get("licenses").ok_or("deny.toml has no [licenses]")?;
        let mut allowed = Self {
            everywhere: strings(licenses.get("allow")).into_iter().collect(),
            exceptions: BTreeSet::new(),
        };
        let exceptions = licenses.get("exceptions").and_then(toml::Value::as_array);
        for exception in exceptions.into_iter().flatten() {
            let of = exception.get("crate").and_then(toml::Value::as_str);
            let of = of.ok_or("deny.toml: an exception names no crate")?;
            for license in strings(exception.get("allow")) {
                allowed.exceptions.insert((license, of.to_owned()));
            }
        }
        Ok(allowed)
    }

    /// Returns the exceptions by which a crate may have this licence, if it may.
    fn permits(&self, name: &str, license: &str) -> Option<BTreeSet<(String, String)>> {
        let license = license
            .replace('/', " OR ")
            .replace('(', " ( ")
            .replace(')', " ) ");
        let words: Vec<&str> = license.split_whitespace().collect();
        let mut expression = LicenseExpression {
            words: &words,
            allowed: self,
            name,
        };
        let found = expression.any_of()?;
        expression.words.is_empty().then_some(found).flatten()
    }
}

/// An expression of SPDX that is being read. Each of its parts is `None` if it is malformed, and
/// `Some(None)` if it is not allowed.
struct LicenseExpression<'w> {
    words: &'w [&'w str],
    allowed: &'w AllowedLicenses,
    name: &'w str,
}

type Permission = Option<BTreeSet<(String, String)>>;

impl LicenseExpression<'_> {
    fn next_is(&mut self, word: &str) -> bool {
        match self.words.split_first() {
            Some((first, rest)) if *first == word => {
                self.words = rest;
                true
            }
            _ => false,
        }
    }

    fn any_of(&mut self) -> Option<Permission> {
        let mut found = self.all_of()?;
        while self.next_is("OR") {
            let other = self.all_of()?;
            // An alternative without an exception is preferred.
            found = match (found, other) {
                (Some(one), Some(other)) if other.len() < one.len() => Some(other),
                (Some(one), _) => Some(one),
                (None, other) => other,
            };
        }
        Some(found)
    }

    fn all_of(&mut self) -> Option<Permission> {
        let mut found = self.one()?;
        while self.next_is("AND") {
            let other = self.one()?;
            found = found
                .zip(other)
                .map(|(one, other)| one.union(&other).cloned().collect());
        }
        Some(found)
    }

    fn one(&mut self) -> Option<Permission> {
        if self.next_is("(") {
            let inner = self.any_of()?;
            return self.next_is(")").then_some(inner);
        }
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        let mut license = (*first).to_owned();
        if self.next_is("WITH") {
            let (exception, rest) = self.words.split_first()?;
            self.words = rest;
            license = format!("{license} WITH {exception}");
        }
        if self.allowed.everywhere.contains(&license) {
            return Some(Some(BTreeSet::new()));
        }
        let exception = (license, self.name.to_owned());
        let is_known = self.allowed.exceptions.contains(&exception);
        Some(is_known.then(|| BTreeSet::from([exception])))
    }
}

#[cfg(test)]
mod tests {
    use super::AllowedLicenses;

    #[test]
    fn expressions_are_read_as_spdx_means_them() {
        let deny = "[licenses]\nallow = [\"MIT\", \"Apache-2.0 WITH LLVM-exception\", \"ISC\"]\n\
            exceptions = [{ allow = [\"CDDL-1.0\"], crate = \"inferno\" }]\n";
        let allowed = AllowedLicenses::of(&deny.parse().unwrap()).unwrap();
        let cases = [
            ("a", "MIT", true),
            ("a", "MIT OR GPL-3.0", true),
            ("a", "GPL-3.0 OR MIT", true),
            ("a", "GPL-3.0/MIT", true),
            ("a", "MIT AND ISC", true),
            ("a", "MIT AND GPL-3.0", false),
            ("a", "(MIT OR GPL-3.0) AND ISC", true),
            ("a", "(MIT OR ISC) AND (GPL-3.0 OR LGPL-2.1)", false),
            ("a", "Apache-2.0 WITH LLVM-exception", true),
            ("a", "Apache-2.0", false),
            ("inferno", "CDDL-1.0", true),
            ("a", "CDDL-1.0", false),
            ("a", "", false),
            ("a", "MIT OR", false),
            ("a", "(MIT", false),
            ("a", "MIT ISC", false),
        ];
        for (name, license, want) in cases {
            let got = allowed.permits(name, license).is_some();
            assert_eq!(got, want, "{name}: {license}");
        }
        let used = allowed.permits("inferno", "CDDL-1.0 OR MIT").unwrap();
        assert!(used.is_empty(), "no exception was needed");
    }
}
