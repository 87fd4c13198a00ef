//! Programs of C that use the library wrongly, or in the middle of something: each checks itself
//! under the address sanitizer.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use super::common::{Installed, Link, compile, here, pkg_config, program, run, text};
use testkit::skip;
use testkit::tools::tool;

const SANITIZED: [&str; 4] = [
    "-fsanitize=address",
    "-fno-omit-frame-pointer",
    "-rdynamic",
    "-Wl,--build-id=sha1",
];

fn is_fine(name: &str, args: &[&str], flags: &[&str]) {
    let flags = [&SANITIZED[..], flags].concat();
    for link in [Link::Shared, Link::Static] {
        let built = match compile(&here("tests/c").join(name), link, &flags) {
            Ok(built) => built,
            Err(why) => return skip(&why),
        };
        let mut command = program(&built);
        command
            .args(args)
            .env("ASAN_OPTIONS", "detect_leaks=1:exitcode=99");
        assert_eq!(run(&mut command), "fine\n", "{name} {link:?}");
    }
}

#[test]
fn wrong_handles_sizes_and_texts_are_refused() {
    is_fine("misuse.c", &[], &[]);
}

#[test]
fn sessions_symbolizers_and_callbacks_do_as_the_header_says() {
    if tool("cc").is_none() {
        return skip("there is no cc");
    }
    let library = Installed::get().lib().join("liblate.so");
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-g", "-o"])
        .arg(&library)
        .arg(here("tests/c/late.c"));
    run(&mut cc);
    is_fine("modules.c", &[&library.display().to_string()], &[]);
}

#[test]
fn signals_threads_and_forks_change_no_answer() {
    is_fine("interrupted.c", &[], &["-pthread"]);
}

#[test]
fn an_exception_out_of_a_callback_ends_the_process() {
    let built = match compile(&here("tests/c/throws.cpp"), Link::Shared, &[]) {
        Ok(built) => built,
        Err(why) => return skip(&why),
    };
    let done = program(&built).output().unwrap();
    assert_eq!(text(&done.stdout), "asked\n");
    // SIGABRT.
    assert_eq!(done.status.signal(), Some(6), "{}", text(&done.stderr));
}

#[test]
fn the_installation_is_that_of_cargo_cinstall() {
    let installed = Installed::get();
    let version = env!("CARGO_PKG_VERSION");
    let (major_minor, _) = version.rsplit_once('.').unwrap();
    let lib = installed.lib();
    for link in [
        format!("libbacksight.so.{major_minor}"),
        "libbacksight.so".to_owned(),
    ] {
        let to = std::fs::read_link(lib.join(link)).unwrap();
        assert_eq!(to.to_str(), Some(&*format!("libbacksight.so.{version}")));
    }
    for file in [
        "lib/libbacksight.a",
        "lib/pkgconfig/backsight.pc",
        "include/backsight.h",
    ] {
        assert!(installed.prefix().join(file).is_file(), "{file}");
    }
    let flags = match pkg_config(Link::Shared) {
        Ok(flags) => flags,
        Err(why) => return skip(&why),
    };
    let prefix = installed.prefix().display();
    let wanted = [
        format!("-I{prefix}/include"),
        format!("-L{prefix}/lib"),
        "-lbacksight".to_owned(),
    ];
    assert_eq!(flags, wanted);
    let Some(readelf) = tool("readelf") else {
        return skip("there is no readelf");
    };
    let library = lib.join("libbacksight.so");
    let dynamic = run(Command::new(&readelf).args(["-dW"]).arg(&library));
    let soname = format!("Library soname: [libbacksight.so.{major_minor}]");
    assert!(dynamic.contains(&soname), "{dynamic}");
    // It exports what the header declares, and nothing else.
    let symbols = run(Command::new(&readelf)
        .args(["--dyn-syms", "-W"])
        .arg(&library));
    let names = symbols.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let is_defined = words.get(3) == Some(&"FUNC") && words.get(6) != Some(&"UND");
        is_defined.then(|| words[7].to_owned())
    });
    let mut exported: Vec<String> = names.collect();
    exported.sort();
    let header = std::fs::read_to_string(here("include/backsight.h")).unwrap();
    let declared = header.split(|it: char| !it.is_alphanumeric() && it != '_');
    let declared: std::collections::BTreeSet<&str> = declared.collect();
    assert!(exported.len() > 40, "{exported:?}");
    let unknown: Vec<_> = exported
        .iter()
        .filter(|name| !declared.contains(&***name))
        .collect();
    assert!(
        unknown.is_empty(),
        "exported, but not in the header: {unknown:?}"
    );
}
