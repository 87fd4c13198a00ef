//! Files from debuginfod servers: Debian's, and one that answers as a test wants.

mod common;

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{Ran, backsight, run};
use tempfile::TempDir;
use testkit::child::KillOnDrop;
use testkit::http::{Reply, Request, Stub};
use testkit::skip;
use testkit::tools::tool;

const SOURCE: &str = "volatile int sink;\n\
    static inline __attribute__((always_inline)) int folded(int x) { return x * sink; }\n\
    __attribute__((noinline)) void hidden(int x) { sink = folded(x); }\n\
    int main(int argc, char **argv) { hidden(argc); return 0; }\n";

/// What the address of `hidden` is called with its debug file.
const NAMED: &str = "hidden+0x0";

/// Programs whose debug files are on a server alone.
struct Programs {
    dir: TempDir,
}

impl Programs {
    /// Compiles two, whose debug files go to `served/`, with what they share in a file of its
    /// own where that is asked for.
    fn new(dwz: bool) -> Result<Self, String> {
        let dir = TempDir::new().map_err(|why| why.to_string())?;
        let all = Self { dir };
        fs::create_dir(all.path("served")).map_err(|why| why.to_string())?;
        fs::write(all.path("a.c"), SOURCE).map_err(|why| why.to_string())?;
        for (name, define) in [("a", "-DA"), ("b", "-DB")] {
            let id = format!("-Wl,--build-id=0x{}", id_of(name));
            all.run("cc", &["-g", "-O1", define, &id, "-o", name, "a.c"])?;
            let debug = format!("served/{name}.debug");
            all.run("objcopy", &["--only-keep-debug", name, &debug])?;
            all.run("strip", &[name])?;
        }
        if dwz {
            let args = [
                "-m",
                "shared",
                "-M",
                "/nowhere/shared",
                "a.debug",
                "b.debug",
            ];
            all.run_in("served", "dwz", &args)?;
        }
        Ok(all)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn run(&self, tool: &str, args: &[&str]) -> Result<(), String> {
        self.run_in("", tool, args)
    }

    fn run_in(&self, dir: &str, tool: &str, args: &[&str]) -> Result<(), String> {
        let mut command = Command::new(tool);
        let ran = command.args(args).current_dir(self.path(dir)).output();
        let ran = ran.map_err(|why| format!("{tool}: {why}"))?;
        match ran.status.success() {
            true => Ok(()),
            false => Err(format!("{tool}: {}", String::from_utf8_lossy(&ran.stderr))),
        }
    }

    /// Returns the address of `hidden` in a program.
    fn hidden(&self, name: &str) -> String {
        let debug = fs::read(self.path(&format!("served/{name}.debug"))).expect("readable");
        use object::{Object, ObjectSymbol};
        let file = object::File::parse(&*debug).expect("an ELF file");
        let mut symbols = file.symbols();
        let symbol = symbols.find(|symbol| symbol.name() == Ok("hidden"));
        format!("{:#x}", symbol.expect("a symbol").address())
    }

    /// Looks `hidden` up in a program, with these flags too.
    fn symbolize(&self, name: &str, flags: &[&str]) -> Ran {
        let (file, addr) = (self.path(name), self.hidden(name));
        let cache = self.path("cache");
        let mut command = backsight();
        command.arg("symbolize").arg("-e").arg(file).args(flags);
        if flags.iter().any(|flag| flag.starts_with("--debuginfod")) {
            command.arg("--cache-dir").arg(cache);
        }
        command.arg(addr).output().expect("it runs").into()
    }
}

fn id_of(name: &str) -> String {
    let byte = if name == "a" { "aa" } else { "bb" };
    byte.repeat(20)
}

/// Debian's server of a folder, and its address.
fn serve(folder: &Path, database: &Path) -> Option<(KillOnDrop, String)> {
    let server = tool("debuginfod")?;
    // The port may be taken by another before the server has it; then another is tried.
    for _ in 0..5 {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let port = free.expect("a free port").port();
        let mut command = Command::new(&server);
        command.arg("-F").arg(folder).arg("-d").arg(database);
        command.args(["-p", &port.to_string(), "-t", "1"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = KillOnDrop(command.spawn().expect("it starts"));
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(20) {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some((child, format!("http://127.0.0.1:{port}")));
            }
            if child.0.try_wait().expect("our child").is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    panic!("debuginfod does not start");
}

#[test]
fn debians_server_gives_debug_files_and_what_they_share() {
    let Ok(programs) = Programs::new(true) else {
        return skip("no cc, objcopy or dwz");
    };
    let database = programs.path("database");
    let Some((_server, url)) = serve(&programs.path("served"), &database) else {
        return skip("no debuginfod");
    };
    let flag = format!("--debuginfod={url}");
    // The server reads its folder while it answers already.
    let begun = Instant::now();
    let ran = loop {
        let ran = programs.symbolize("a", &[&flag]);
        let done = ran.stderr.contains("files: 2 fetched");
        if done || begun.elapsed() > Duration::from_secs(60) {
            break ran;
        }
        fs::remove_dir_all(programs.path("cache")).expect("what it does not have is noted");
        std::thread::sleep(Duration::from_millis(200));
    };
    assert!(
        ran.stdout.contains(NAMED) && ran.stdout.contains("a.c:3"),
        "{ran:?}"
    );
    assert!(
        ran.stderr.contains("files: 2 fetched; 2 requests"),
        "{ran:?}"
    );
    let named = ran.stdout;
    // What both share is here already.
    let ran = programs.symbolize("b", &[&flag]);
    let counts = "files: 1 fetched, 1 from the cache; 1 requests";
    assert!(ran.stderr.contains(counts), "{ran:?}");
    let ran = programs.symbolize("a", &[&flag, "--offline"]);
    assert_eq!(ran.stdout, named);
    assert!(
        ran.stderr.contains("2 from the cache; 0 requests, 0 bytes"),
        "{ran:?}"
    );
}

#[test]
fn no_server_is_asked_unless_that_is_asked_for() {
    let Ok(programs) = Programs::new(false) else {
        return skip("no cc or objcopy");
    };
    let stub = Stub::new(|_| Reply::Status(404));
    let file = programs.path("a");
    for flags in [&[][..], &["--debuginfod"]] {
        let mut command = backsight();
        command
            .arg("symbolize")
            .arg("-e")
            .arg(&file)
            .args(flags)
            .arg("0x1130");
        command.env("DEBUGINFOD_URLS", stub.url());
        command.env("XDG_CACHE_HOME", programs.path("home"));
        let ran: Ran = command.output().expect("it runs").into();
        match flags {
            [] => {
                assert_eq!((stub.requests().len(), &*ran.stderr), (0, ""));
                assert!(!programs.path("home").exists());
            }
            _ => {
                assert_eq!(stub.requests().len(), 1);
                assert!(ran.stderr.contains("1 that no server has"), "{ran:?}");
                assert!(programs.path("home/backsight/debuginfod").is_dir());
            }
        }
    }
}

#[test]
fn failures_are_said_and_lookups_go_on() {
    let Ok(programs) = Programs::new(false) else {
        return skip("no cc or objcopy");
    };
    let wrong = fs::read(programs.path("served/b.debug")).expect("readable");
    let stub = Stub::new(move |_| Reply::Content(wrong.clone()));
    let flag = format!("--debuginfod={}", stub.url());
    let ran = programs.symbolize("a", &[&flag]);
    assert_eq!(ran.code, Some(0));
    let words = [
        "without the requested build ID",
        &stub.url(),
        "files: 1 failed; 1 requests",
    ];
    ran.fails(0, &words);
    // Without a server, or with what is none.
    let mut command = backsight();
    command
        .arg("symbolize")
        .arg("-e")
        .arg(programs.path("a"))
        .args(["--debuginfod", "0x1130"]);
    command
        .env_remove("DEBUGINFOD_URLS")
        .env("XDG_CACHE_HOME", programs.path("home"));
    let ran: Ran = command.output().expect("it runs").into();
    ran.fails(
        1,
        &["names no server", "--debuginfod=URL", "DEBUGINFOD_URLS"],
    );
    let ran = run([
        "symbolize",
        "-e",
        "/bin/true",
        "--debuginfod=ftp://x",
        "0x10",
    ]);
    ran.fails(2, &["ftp://x", "http://"]);
    run(["symbolize", "-e", "/bin/true", "--offline", "0x10"]).fails(2, &["--debuginfod"]);
}

#[test]
fn a_file_above_the_limit_is_not_received() {
    let Ok(programs) = Programs::new(false) else {
        return skip("no cc or objcopy");
    };
    let ask = |limit: Option<&str>, variable: Option<&str>| -> Ran {
        // Otherwise a server that failed is not asked again.
        let stub = Stub::new(|_| Reply::Endless);
        let mut command = backsight();
        command.arg("symbolize").arg("-e").arg(programs.path("a"));
        command.arg(format!("--debuginfod={}", stub.url()));
        command.args(limit.map(|limit| format!("--max-fetched={limit}")));
        command.arg("0x1130");
        match variable {
            Some(bytes) => command.env("DEBUGINFOD_MAXSIZE", bytes),
            None => command.env_remove("DEBUGINFOD_MAXSIZE"),
        };
        command.env("XDG_CACHE_HOME", programs.path("home"));
        command.output().expect("it runs").into()
    };
    let said = |bytes: &str| format!("larger than the limit of {bytes} bytes");
    ask(Some("1M"), None).fails(0, &[&said("1048576"), "files: 1 failed; 1 requests"]);
    ask(None, Some("700000")).fails(0, &[&said("700000")]);
    // The flag is nearer.
    ask(Some("500K"), Some("0")).fails(0, &[&said("512000")]);
    ask(None, Some("lots")).fails(1, &["DEBUGINFOD_MAXSIZE", "\"lots\"", "number of bytes"]);
}

/// The variables of elfutils' client say how long a server is waited for.
#[test]
fn a_server_that_stalls_is_left_after_the_time_of_the_variables() {
    let Ok(programs) = Programs::new(false) else {
        return skip("no cc or objcopy");
    };
    let ask = |variable: &str, value: &str| -> Ran {
        let reply = match variable {
            "DEBUGINFOD_TIMEOUT" => Reply::Silence,
            _ => Reply::Slow(vec![0; 600], Duration::from_secs(1)),
        };
        let stub = Stub::new(move |_| reply.clone());
        let mut command = backsight();
        command.arg("symbolize").arg("-e").arg(programs.path("a"));
        command.arg(format!("--debuginfod={}", stub.url()));
        command.arg("0x1130").env(variable, value);
        command.env("XDG_CACHE_HOME", programs.path("home"));
        command.output().expect("it runs").into()
    };
    let said = "no answer within 2 s";
    ask("DEBUGINFOD_TIMEOUT", "2").fails(0, &[said, "files: 1 failed"]);
    ask("DEBUGINFOD_MAXTIME", "2").fails(0, &[said, "files: 1 failed"]);
    for variable in ["DEBUGINFOD_TIMEOUT", "DEBUGINFOD_MAXTIME"] {
        ask(variable, "soon").fails(1, &[variable, "\"soon\"", "number of seconds"]);
    }
}

/// A profile of 300 samples in the first module, 2 in the second, and 1 in the third.
fn profile(programs: &Programs) -> String {
    let mut lines = vec![
        r#"{"type":"header","schema_version":1,"tool":"test"}"#.to_owned(),
        r#"{"type":"profile","sample_types":[{"kind":"samples","unit":"count"}]}"#.to_owned(),
        r#"{"type":"process","index":0,"pid":7,"name":"it"}"#.to_owned(),
    ];
    let modules = [id_of("a"), "c1".repeat(20), id_of("b")];
    for (index, id) in modules.iter().enumerate() {
        let path = programs.path(["a", "gone", "b"][index]);
        let path = path.display();
        lines.push(format!(
            r#"{{"type":"module","index":{index},"path":"{path}","deleted":false,"build_id":"{id}"}}"#
        ));
        let addr = programs.hidden(["a", "a", "b"][index]);
        lines.push(format!(
            r#"{{"type":"address","index":{index},"module":{index},"virtual_offset":"{addr}","kind":"file","lookup":"exact"}}"#
        ));
    }
    for (stack, value) in [(0, 300), (1, 2), (2, 100)] {
        lines.push(format!(
            r#"{{"type":"sample","pid":7,"time_ns":3,"values":[{value}],"stack":[{stack}]}}"#
        ));
    }
    lines.join("\n") + "\n"
}

#[test]
fn files_that_many_samples_wait_for_are_fetched_and_those_of_few_are_not() {
    let Ok(programs) = Programs::new(false) else {
        return skip("no cc or objcopy");
    };
    let [a, b] = ["a", "b"]
        .map(|name| fs::read(programs.path(&format!("served/{name}.debug"))).expect("readable"));
    let stub = Stub::new(move |request: &Request| {
        let is_debug = request.path.ends_with("/debuginfo");
        match (
            is_debug,
            request.path.contains("aaaa"),
            request.path.contains("bbbb"),
        ) {
            (true, true, _) => Reply::Content(a.clone()),
            (true, _, true) => Reply::Content(b.clone()),
            _ => Reply::Status(404),
        }
    });
    fs::write(programs.path("in.ndjson"), profile(&programs)).expect("written");
    let flag = format!("--debuginfod={}", stub.url());
    let convert = |more: &[&str]| -> Ran {
        let mut command = backsight();
        command
            .arg("convert")
            .arg(programs.path("in.ndjson"))
            .arg("-");
        command
            .args(["--to", "folded", &flag, "--cache-dir"])
            .arg(programs.path("cache"));
        command.args(more).output().expect("it runs").into()
    };
    let ran = convert(&[]);
    assert!(ran.stdout.contains("it;hidden;folded 400\n"), "{ran:?}");
    assert!(ran.stderr.contains("2 fetched, "), "{ran:?}");
    assert!(ran.stderr.contains("left out: fewer samples"), "{ran:?}");
    let asked: Vec<String> = stub
        .requests()
        .into_iter()
        .map(|request| request.path)
        .collect();
    let is_asked = |id: &str| asked.iter().any(|path| path.contains(&id.repeat(20)));
    assert_eq!(
        ["aa", "bb", "c1"].map(is_asked),
        [true, true, false],
        "{asked:?}"
    );
    // All of them.
    let ran = convert(&["--min-share", "0"]);
    assert!(ran.stderr.contains("that no server has"), "{ran:?}");
    assert!(
        stub.requests()
            .iter()
            .any(|request| request.path.contains(&"c1".repeat(20)))
    );
}
