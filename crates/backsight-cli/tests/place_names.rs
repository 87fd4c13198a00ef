//! The name of a place without a function: the same by every way.

mod common;

use std::fs;

use common::run;

/// Caught in a library without symbols: the program counter, a return address, and one byte
/// before, which is the program counter of another sample; and nowhere.
const PROFILE: &str = r#"{"type":"header","schema_version":1,"tool":"test"}
{"type":"profile","sample_types":[{"kind":"samples","unit":"count"}]}
{"type":"process","index":0,"pid":7,"name":"it"}
{"type":"module","index":0,"kind":"file","path":"/none/libfoo.so","deleted":false,"build_id":"0102030405060708090a0b0c0d0e0f1011121314"}
{"type":"module","index":1,"kind":"file","path":"/none/libbar.so","deleted":false}
{"type":"address","index":0,"module":0,"file_offset":"0xed880","kind":"file","lookup":"exact"}
{"type":"address","index":1,"module":0,"file_offset":"0xed880","kind":"file","lookup":"return"}
{"type":"address","index":2,"module":1,"file_offset":"0x2001","kind":"file","lookup":"return"}
{"type":"address","index":3,"module":1,"file_offset":"0x2000","kind":"file","lookup":"exact"}
{"type":"sample","pid":7,"time_ns":3,"values":[1],"stack":[0,1,2]}
{"type":"sample","pid":7,"time_ns":4,"values":[5],"stack":[3,2]}
"#;

/// What is looked up is inside the call.
const STACKS: &str = "\
it;libbar.so+0x2000;libbar.so+0x2000 5
it;libbar.so+0x2000;libfoo.so+0xed87f;libfoo.so+0xed880 1
";

#[test]
fn a_place_without_a_function_has_one_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("in.ndjson"), PROFILE).unwrap();
    let folded = |input: &str| {
        let args = [
            "convert",
            "--account",
            "never",
            input,
            "-",
            "--to",
            "folded",
        ];
        let ran = run(args);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        ran.stdout
    };
    assert_eq!(folded(&path("in.ndjson")), STACKS);
    let mut inputs = vec!["in.ndjson"];
    for output in ["out.pb.gz", "out.otlp", "out.ndjson"] {
        let ran = run([
            "convert",
            "--account",
            "never",
            &path("in.ndjson"),
            &path(output),
        ]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        inputs.push(output);
    }
    for input in inputs {
        assert_eq!(folded(&path(input)), STACKS, "{input}");
        // Through the other one, too.
        for last in ["last.pb.gz", "last.otlp"] {
            let ran = run(["convert", "--account", "never", &path(input), &path(last)]);
            assert_eq!(ran.code, Some(0), "{ran:?}");
            assert_eq!(folded(&path(last)), STACKS, "{input} and {last}");
        }
    }
}
