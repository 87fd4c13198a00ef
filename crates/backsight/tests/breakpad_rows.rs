//! Unwinding rules of a Breakpad symbol file, for a program that has none of its own.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use backsight::{ModuleFiles, call_frames, headers};
use backsight_symbolize::{Options, SymbolFiles};
use backsight_types::{DebugId, Module, ModuleKind};

/// Assembles a program without call frame information.
fn assemble(dir: &Path) -> bool {
    let source = ".globl begin\nbegin: call leaf\nhlt\nleaf: sub $24, %rsp\nadd $24, %rsp\nret\n";
    fs::write(dir.join("a.s"), source).expect("ours");
    let mut cc = Command::new("cc");
    cc.args(["-nostdlib", "-static", "-Wl,-e,begin", "-Wl,--build-id"]);
    let done = cc.args(["-o", "a", "a.s"]).current_dir(dir).output();
    done.is_ok_and(|output| output.status.success())
}

#[test]
fn the_symbol_file_of_a_module_unwinds_it() {
    if !cfg!(target_arch = "x86_64") {
        return testkit::skip("not x86-64");
    }
    let dir = tempfile::tempdir().expect("a directory");
    if !assemble(dir.path()) {
        return testkit::skip("cc: cannot assemble");
    }
    let path = dir.path().join("a");
    let file = fs::File::open(&path).expect("readable");
    let headers = headers(&file, None).expect("an ELF file");
    let id = headers.build_id.expect("a build ID");
    let module = Module::default()
        .with_kind(ModuleKind::File)
        .with_path(path.as_os_str().as_bytes())
        .with_build_id(id)
        .with_segments(headers.segments);
    let symbols = dir.path().join("a.sym");
    let rows = |debug_id: &str, rules: &str| {
        fs::write(
            &symbols,
            format!("MODULE Linux x86_64 {debug_id} a\n{rules}"),
        )
        .expect("ours");
        let files = Arc::new(SymbolFiles::new([&symbols]));
        let options = Options::default().with_symbol_files(files);
        let files = ModuleFiles::default().with_symbols(options);
        let frames = call_frames(&module, &files).expect("the file was found");
        !frames.is_empty()
    };
    let own = DebugId::of_build_id(&id)[0].to_string();
    let rules = "STACK CFI INIT 1000 10 .cfa: $rsp 8 + .ra: .cfa -8 + ^\n";
    assert!(rows(&own, rules));
    // Without rules, and of another build.
    assert!(!rows(&own, "PUBLIC 1000 0 begin\n"));
    assert!(!rows("00112233445566778899AABBCCDDEEFF0", rules));
}
