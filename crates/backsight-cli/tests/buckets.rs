//! Files from buckets: a directory, and servers that answer as S3 and Google's do.

mod common;

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use common::{Ran, backsight, run};
use tempfile::TempDir;
use testkit::http::{Reply, Request, Stub};
use testkit::skip;

const SOURCE: &str = "volatile int sink;\n\
    __attribute__((noinline)) void hidden(int x) { sink = x; }\n\
    int main(int argc, char **argv) { hidden(argc); return 0; }\n";

/// What the address of `hidden` is called with its debug file.
const NAMED: &str = "hidden+0x0";

/// Two stripped programs, whose debug files are in `bucket/` alone, by build ID.
struct Programs {
    dir: TempDir,
}

impl Programs {
    fn new() -> Option<Self> {
        let dir = TempDir::new().expect("a directory");
        let all = Self { dir };
        fs::write(all.path("a.c"), SOURCE).expect("written");
        for name in ["aa", "bb"] {
            let debug = all.path(&debug_path(name));
            fs::create_dir_all(debug.parent().expect("it has one")).expect("created");
            let id = format!("-Wl,--build-id=0x{}", name.repeat(20));
            let (debug, name) = (debug.display().to_string(), name.to_owned());
            all.run("cc", &["-g", "-O1", &id, "-o", &name, "a.c"])?;
            all.run("objcopy", &["--only-keep-debug", &name, &debug])?;
            all.run("strip", &[&name])?;
        }
        Some(all)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn run(&self, tool: &str, args: &[&str]) -> Option<()> {
        let mut command = Command::new(tool);
        let ran = command.args(args).current_dir(self.dir.path()).output();
        ran.ok()?.status.success().then_some(())
    }

    fn debug_file(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(&debug_path(name))).expect("readable")
    }

    /// Returns the address of `hidden`, which is that of both programs.
    fn hidden(&self) -> String {
        use object::{Object, ObjectSymbol};
        let debug = self.debug_file("aa");
        let file = object::File::parse(&*debug).expect("an ELF file");
        let mut symbols = file.symbols();
        let symbol = symbols.find(|symbol| symbol.name() == Ok("hidden"));
        format!("{:#x}", symbol.expect("a symbol").address())
    }

    /// Looks `hidden` up in a program.
    fn symbolize(&self, name: &str, url: &str, flags: &[&str], env: &[(&str, &str)]) -> Ran {
        let mut command = backsight();
        command.arg("symbolize").arg("-e").arg(self.path(name));
        command.args(["--bucket", url, "--cache-dir"]);
        command.arg(self.path("cache")).args(flags);
        with_env(&mut command, env);
        command.arg(self.hidden()).output().expect("it runs").into()
    }
}

fn debug_path(name: &str) -> String {
    format!("bucket/.build-id/{name}/{}.debug", name.repeat(19))
}

/// Sets the variables of the services, and no others of them.
fn with_env(command: &mut Command, env: &[(&str, &str)]) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("AWS_") || text.starts_with("GOOGLE_") {
            command.env_remove(&name);
        }
    }
    command.envs(env.iter().copied());
}

/// A service with the debug file of the first program, at `symbols/release`.
fn service(programs: &Programs) -> Stub {
    let debug = programs.debug_file("aa");
    let rest = "aa".repeat(19);
    Stub::new(move |request: &Request| {
        // Names of Google's service have all but letters and digits encoded.
        let path = request.path.replace("%2F", "/").replace("%2E", ".");
        let path = path.replace("%2D", "-");
        match path == format!("/symbols/release/.build-id/aa/{rest}.debug") {
            true => Reply::Content(debug.clone()),
            false => Reply::Refusal(404, "<Error><Code>NoSuchKey</Code></Error>".to_owned()),
        }
    })
}

#[test]
fn each_kind_of_bucket_gives_debug_files() {
    let Some(programs) = Programs::new() else {
        return skip("no cc or objcopy");
    };
    let stub = service(&programs);
    let url = stub.url();
    let aws: &[(&str, &str)] = &[
        ("AWS_ENDPOINT_URL", &url),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_PAGER", "less"),
    ];
    let google: &[(&str, &str)] = &[("GOOGLE_BASE_URL", &url), ("GOOGLE_SKIP_SIGNATURE", "true")];
    let directory = format!("file://{}", programs.path("bucket").display());
    for (bucket, env) in [
        ("s3://symbols/release", aws),
        ("gs://symbols/release", google),
        (&*directory, &[]),
    ] {
        let asked = stub.requests().len();
        let ran = programs.symbolize("aa", bucket, &[], env);
        assert!(ran.stdout.contains(NAMED), "{bucket}: {ran:?}");
        assert!(ran.stdout.contains("a.c:2"), "{bucket}: {ran:?}");
        let absent = programs.symbolize("bb", bucket, &[], env);
        let offline = programs.symbolize("aa", bucket, &["--offline"], env);
        assert_eq!(offline.stdout, ran.stdout, "{bucket}");
        match env {
            [] => {
                let found = format!("{bucket}: files: 1 found\n");
                assert!(ran.stderr.ends_with(&found), "{ran:?}");
                assert_eq!(stub.requests().len(), asked);
            }
            _ => {
                let fetched = format!("{bucket}: files: 1 fetched; 1 requests, ");
                assert!(ran.stderr.contains(&fetched), "{ran:?}");
                let none = format!("{bucket}: files: 1 that it does not have; 1 requests, 0 bytes");
                assert!(absent.stderr.contains(&none), "{absent:?}");
                let kept = format!("{bucket}: files: 1 from the cache; 0 requests, 0 bytes");
                assert!(offline.stderr.contains(&kept), "{offline:?}");
                assert_eq!(stub.requests().len(), asked + 2);
                let signed = stub.requests()[asked].authorization.is_some();
                assert_eq!(signed, bucket.starts_with("s3"), "{bucket}");
            }
        }
        // What one bucket gave is no answer of another.
        drop(fs::remove_dir_all(programs.path("cache")));
    }
    let nothing = programs.symbolize("aa", "s3://symbols/release", &["--offline"], aws);
    assert!(nothing.stderr.contains("1 not in the cache; 0 requests"));
    assert!(!nothing.stdout.contains(NAMED), "{nothing:?}");
}

#[test]
fn what_a_bucket_lacks_or_denies_is_said_with_a_way_out() {
    let Some(programs) = Programs::new() else {
        return skip("no cc or objcopy");
    };
    let wrong = programs.debug_file("bb");
    let stub = Stub::new(move |request: &Request| {
        let refusal = |status, code| {
            let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code></Error>");
            Reply::Refusal(status, body)
        };
        match request.path.split('/').nth(1) {
            Some("gone") => refusal(404, "NoSuchBucket"),
            Some("denied") => refusal(403, "AccessDenied"),
            Some("key") => refusal(403, "InvalidAccessKeyId"),
            Some("wrong") => Reply::Content(wrong.clone()),
            _ => Reply::Status(404),
        }
    });
    let url = stub.url();
    let keys: &[(&str, &str)] = &[
        ("AWS_ENDPOINT_URL", &url),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ];
    // The host's provider of credentials is this server, too, and has none.
    let no_keys: &[(&str, &str)] = &[("AWS_ENDPOINT_URL", &url), ("AWS_METADATA_ENDPOINT", &url)];
    let half: &[(&str, &str)] = &[("AWS_ACCESS_KEY_ID", "key")];
    type Case<'c> = (&'c str, &'c [(&'c str, &'c str)], i32, &'c [&'c str]);
    let cases: &[Case<'_>] = &[
        (
            "gone",
            keys,
            0,
            &["there is no such bucket", "AWS_REGION", "1 failed"],
        ),
        (
            "denied",
            keys,
            0,
            &["denied (AccessDenied)", "may not list", "1 failed"],
        ),
        ("key", keys, 0, &["denied (InvalidAccessKeyId)", "1 failed"]),
        ("wrong", keys, 0, &["without the build ID", "1 failed"]),
        (
            "any",
            no_keys,
            0,
            &[
                "no credentials",
                "AWS_ACCESS_KEY_ID",
                "AWS_SKIP_SIGNATURE=true",
            ],
        ),
        ("any", half, 1, &["not used", "SecretAccessKey"]),
    ];
    for (name, env, code, words) in cases {
        let bucket = format!("s3://{name}");
        let ran = programs.symbolize("aa", &bucket, &[], env);
        assert!(!ran.stdout.contains(NAMED), "{ran:?}");
        let mut words = words.to_vec();
        words.push(&bucket);
        ran.fails(*code, &words);
    }
    for url in ["symbols", "http://a/b", "s3://a?b", "file://a"] {
        let ran = run(["symbolize", "-e", "/bin/true", "--bucket", url, "0x10"]);
        ran.fails(2, &[url, "s3://BUCKET/PREFIX"]);
    }
    run(["symbolize", "-e", "/bin/true", "--offline", "0x10"]).fails(2, &["--bucket"]);
}

#[test]
fn a_bucket_that_fails_is_left_and_servers_are_asked_next() {
    let Some(programs) = Programs::new() else {
        return skip("no cc or objcopy");
    };
    let debug = programs.debug_file("aa");
    let server = Stub::new(move |_| Reply::Content(debug.clone()));
    let bucket = Stub::new(|_| Reply::Refusal(404, "<Code>NoSuchBucket</Code>".to_owned()));
    let (flag, url) = (format!("--debuginfod={}", server.url()), bucket.url());
    let ran = programs.symbolize(
        "aa",
        "s3://gone",
        &[&flag],
        &[("AWS_ENDPOINT_URL", &url), ("AWS_SKIP_SIGNATURE", "true")],
    );
    assert!(ran.stdout.contains(NAMED), "{ran:?}");
    assert!(ran.stderr.contains("s3://gone: files: 1 failed"), "{ran:?}");
    assert!(
        ran.stderr.contains("debuginfod: files: 1 fetched"),
        "{ran:?}"
    );
}

/// The variables that bound the waiting for servers also bound that for buckets.
#[test]
fn a_bucket_that_stalls_is_left_after_the_time_of_the_variables() {
    let Some(programs) = Programs::new() else {
        return skip("no cc or objcopy");
    };
    let ask = |variable: &str, value: &str, reply: Reply| {
        let bucket = Stub::new(move |_| reply.clone());
        let env = [
            ("AWS_ENDPOINT_URL", &*bucket.url()),
            ("AWS_SKIP_SIGNATURE", "true"),
            (variable, value),
        ];
        let begun = Instant::now();
        let ran = programs.symbolize("aa", "s3://slow", &[], &env);
        (ran, begun.elapsed())
    };
    let slow = Reply::Slow(vec![0; 6000], Duration::from_secs(1));
    for (variable, reply) in [
        ("DEBUGINFOD_TIMEOUT", Reply::Silence),
        ("DEBUGINFOD_MAXTIME", slow),
    ] {
        let (ran, took) = ask(variable, "1", reply);
        assert!(ran.stderr.contains("s3://slow: files: "), "{ran:?}");
        assert!(ran.stderr.contains("failed; "), "{ran:?}");
        // Without the variable, 90 seconds and more.
        assert!(
            took < Duration::from_secs(60),
            "{variable}: {took:?} {ran:?}"
        );
        let (ran, _) = ask(variable, "soon", Reply::Silence);
        ran.fails(1, &[variable, "\"soon\"", "number of seconds"]);
    }
}

/// A profile of 300 samples in the first program and one in the second.
fn profile(programs: &Programs) -> String {
    let mut lines = vec![
        r#"{"type":"header","schema_version":1,"tool":"test"}"#.to_owned(),
        r#"{"type":"profile","sample_types":[{"kind":"samples","unit":"count"}]}"#.to_owned(),
        r#"{"type":"process","index":0,"pid":7,"name":"it"}"#.to_owned(),
    ];
    let addr = programs.hidden();
    for (index, name) in ["aa", "bb"].into_iter().enumerate() {
        let (path, id) = (programs.path(name), name.repeat(20));
        let path = path.display();
        lines.push(format!(
            r#"{{"type":"module","index":{index},"path":"{path}","deleted":false,"build_id":"{id}"}}"#
        ));
        lines.push(format!(
            r#"{{"type":"address","index":{index},"module":{index},"virtual_offset":"{addr}","kind":"file","lookup":"exact"}}"#
        ));
    }
    for (stack, value) in [(0, 300), (1, 1)] {
        lines.push(format!(
            r#"{{"type":"sample","pid":7,"time_ns":3,"values":[{value}],"stack":[{stack}]}}"#
        ));
    }
    lines.join("\n") + "\n"
}

#[test]
fn files_of_few_samples_are_left_in_the_bucket() {
    let Some(programs) = Programs::new() else {
        return skip("no cc or objcopy");
    };
    let stub = service(&programs);
    fs::write(programs.path("in.ndjson"), profile(&programs)).expect("written");
    let url = stub.url();
    let mut command = backsight();
    command.arg("convert").arg(programs.path("in.ndjson"));
    command.args(["-", "--to", "folded", "--bucket", "s3://symbols/release"]);
    command.arg("--cache-dir").arg(programs.path("cache"));
    with_env(
        &mut command,
        &[("AWS_ENDPOINT_URL", &url), ("AWS_SKIP_SIGNATURE", "true")],
    );
    let ran: Ran = command.output().expect("it runs").into();
    assert!(ran.stdout.contains("it;hidden 300\n"), "{ran:?}");
    let counts = "1 fetched, 1 left out: fewer samples want them than --min-share; 1 requests";
    assert!(ran.stderr.contains(counts), "{ran:?}");
}

#[test]
fn a_directory_that_is_none_is_said_and_ends_the_command_with_1() {
    for (url, cause) in [
        ("file:///nonexistent", "No such file or directory"),
        ("file:///etc/passwd", "not a directory"),
    ] {
        let words = format!("--bucket {url}: not used: {cause}");
        run(["symbolize", "-e", "/bin/true", "--bucket", url, "0x10"]).fails(1, &[&words]);
        run(["addr2line", "-e", "/bin/true", "--bucket", url, "0x10"]).fails(1, &[&words]);
    }
}
