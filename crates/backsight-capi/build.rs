//! Gives the shared library the soname that it is installed with.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let [major, minor] = ["CARGO_PKG_VERSION_MAJOR", "CARGO_PKG_VERSION_MINOR"]
        .map(|name| std::env::var(name).unwrap_or_default());
    // As `cargo cinstall` has it: before 1.0, each minor version may change what is there.
    let version = match &*major {
        "0" => format!("{major}.{minor}"),
        _ => major,
    };
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libbacksight.so.{version}");
}
