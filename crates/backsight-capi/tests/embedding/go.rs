//! The Go package over the library: its own tests, and its examples compared with the command.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::command::command;
use super::common::{Installed, here, run};
use testkit::skip;
use testkit::target::{Target, recording};
use testkit::tools::tool;

/// Prepares the tool of Go in the directory of the package, without a network.
fn go(args: &[&str]) -> Option<Command> {
    if tool("pkg-config").is_none() || tool("cc").is_none() {
        skip("there is no cc or no pkg-config, which cgo needs");
        return None;
    }
    let Some(go) = tool("go") else {
        skip("there is no go");
        return None;
    };
    let lib = Installed::get().lib();
    let mut command = Command::new(go);
    command
        .current_dir(here("../../bindings/go"))
        .env("PKG_CONFIG_PATH", lib.join("pkgconfig"))
        .env("LD_LIBRARY_PATH", &lib)
        .env("GOCACHE", Installed::get().prefix().join("go-cache"))
        .envs([
            ("GOFLAGS", "-mod=mod"),
            ("GOPROXY", "off"),
            ("CGO_ENABLED", "1"),
        ])
        .args(args);
    Some(command)
}

#[test]
fn the_package_passes_its_own_tests() {
    let Some(mut test) = go(&["test", "-count=1", "./..."]) else {
        return;
    };
    let said = run(&mut test);
    assert!(said.starts_with("ok "), "{said}");
    // Each pointer that is passed to C is checked.
    let checked = go(&["vet", "./..."]);
    run(&mut checked.unwrap());
}

fn example(name: &str) -> Option<PathBuf> {
    let out = Installed::get().prefix().join(format!("go-{name}"));
    let path = out.display().to_string();
    let package = format!("./examples/{name}");
    let mut build = go(&["build", "-o", &path, &package])?;
    run(&mut build);
    Some(out)
}

#[test]
fn the_examples_print_what_the_command_prints() {
    let Some(backsight) = command() else {
        return skip("the command is not built: cargo build -p backsight-cli");
    };
    let Some(name_stack) = example("name_stack") else {
        return;
    };
    let target = match Target::start() {
        Ok(target) => target,
        Err(why) => return skip(&why),
    };
    let mut stack = target.stack.clone();
    stack.push("0x10".to_owned());
    let mut asked = Command::new(&backsight);
    asked
        .args(["symbolize", "-p", &target.pid(), "--stack"])
        .args(&stack);
    let wanted = run(&mut asked);
    assert!(wanted.contains("inlined [inlined]"), "{wanted}");
    let ours = run(super::common::program(&name_stack)
        .arg(target.pid())
        .args(&stack));
    assert_eq!(ours, wanted);

    let recording = match recording() {
        Ok(recording) => recording,
        Err(why) => return skip(&why),
    };
    let dir = tempfile::tempdir().unwrap();
    let (ours, wanted) = (
        dir.path().join("ours.pb.gz"),
        dir.path().join("wanted.pb.gz"),
    );
    run(Command::new(backsight)
        .arg("convert")
        .arg(&recording.data)
        .arg(&wanted));
    let Some(perf_to_pprof) = example("perf_to_pprof") else {
        return;
    };
    run(super::common::program(&perf_to_pprof)
        .arg(&recording.data)
        .arg(&ours));
    assert!(fs::read(ours).unwrap() == fs::read(wanted).unwrap());
}

#[test]
fn examples_are_short() {
    for name in ["name_stack", "perf_to_pprof"] {
        let path = here("../../bindings/go/examples")
            .join(name)
            .join("main.go");
        let source = fs::read_to_string(&path).unwrap();
        let (_, code) = source.split_once("func main").unwrap();
        let lines = code
            .lines()
            .filter(|line| !line.trim().is_empty() && line.trim() != "}");
        let lines = lines.count();
        assert!(lines < 30, "{}: {lines} lines", path.display());
    }
}
