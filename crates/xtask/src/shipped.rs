//! The crates that others can depend on, as cargo knows them.

use std::process::Command;

use serde_json::Value;

use crate::root::root;

/// A crate of the workspace that ships.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shipped {
    pub(crate) name: String,
    /// Whether there is anything to depend on.
    pub(crate) has_library: bool,
    /// Its features but `default`, in order.
    pub(crate) features: Vec<String>,
}

/// Asks cargo for them, in the order of their names.
pub(crate) fn shipped() -> Result<Vec<Shipped>, String> {
    let mut cargo = Command::new(env!("CARGO"));
    let told = cargo
        .current_dir(root())
        .args(["metadata", "--no-deps", "--format-version", "1", "--locked"])
        .output()
        .map_err(|why| format!("cargo metadata: {why}"))?;
    if !told.status.success() {
        return Err(format!(
            "cargo metadata: {}",
            String::from_utf8_lossy(&told.stderr)
        ));
    }
    let told = serde_json::from_slice(&told.stdout).map_err(|why| why.to_string())?;
    Ok(of_metadata(&told))
}

fn of_metadata(told: &Value) -> Vec<Shipped> {
    let all = told["packages"].as_array().into_iter().flatten();
    let ships = |package: &&Value| {
        // `publish = false` is an empty list of registries.
        package["publish"]
            .as_array()
            .is_none_or(|it| !it.is_empty())
    };
    let mut all: Vec<Shipped> = all.filter(ships).filter_map(of_package).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

fn of_package(package: &Value) -> Option<Shipped> {
    let targets = package["targets"].as_array()?;
    let has_library = targets.iter().any(|target| target["kind"][0] == "lib");
    let features = package["features"].as_object()?.keys();
    let features = features.filter(|name| *name != "default").cloned();
    Some(Shipped {
        name: package["name"].as_str()?.to_owned(),
        has_library,
        features: features.collect(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Shipped, of_metadata};

    #[test]
    fn published_crates_are_packaged() {
        let told = json!({"packages": [
            {"name": "b", "publish": null, "targets": [{"kind": ["lib"]}, {"kind": ["test"]}],
             "features": {"default": ["x"], "x": [], "y": []}},
            {"name": "a", "publish": null, "targets": [{"kind": ["bin"]}], "features": {}},
            {"name": "c", "publish": [], "targets": [{"kind": ["lib"]}], "features": {}},
        ]});
        let of = |name: &str, has_library, features: &[&str]| Shipped {
            name: name.to_owned(),
            has_library,
            features: features.iter().map(|it| (*it).to_owned()).collect(),
        };
        let want = [of("a", false, &[]), of("b", true, &["x", "y"])];
        assert_eq!(of_metadata(&told), want);
    }
}
