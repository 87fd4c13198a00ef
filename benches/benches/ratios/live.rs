//! Stacks of a live process to functions, files and lines: normalization and symbolization
//! together, as in a profiler that shows names at once.
//!
//! The process is the workload `rg`, which waits for input.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use backsight_normalize::{ModuleImage, Session};
use backsight_symbolize::{Answers, ModuleId, ModuleInput, Options, Place, Request, Symbolizer};
use backsight_types::{AbsAddr, Lookup, Outcome};
use benches::command::Row;
use benches::race::{self, Clock, Race, Role, Sizes};
use object::{Object, ObjectSymbol, SymbolKind};

use crate::process::Process;
use crate::symbolize::{self, Blazesym, Consumed};
use crate::target::Random;

pub(crate) const ROWS: &[Row] = &[Row {
    id: "E1",
    measures: "1,000 stacks of 30 frames of a live process, to functions, files and lines",
    run: e1,
}];

const STACKS: usize = 1_000;

/// Frames per stack: most in the program, some in libc.
const PROGRAM_FRAMES: usize = 26;
const LIBC_FRAMES: usize = 4;

fn e1(rounds: u32) -> Result<Vec<race::Outcome>, String> {
    let subject = symbolize::named("rg")?;
    let process = Waiting::spawn(&subject.executable)?;
    let addrs = stacks(&process, &subject.addresses().skewed)?;
    let pid = process.0.id();

    let sizes = Sizes {
        vmas: Process::Child(pid).vmas(),
        addresses: addrs.len(),
        touched: 2,
    };
    let warm = symbolize::on_one_thread(|| {
        let peer = Blazesym::of_process(pid);
        let mut ours = Live::open(pid);
        ours.run(&addrs).compare("blazesym", peer.run(&addrs))?;
        // The first batch may have been too small for an index.
        ours.run(&addrs);
        let race = Race::new("E1", "warm: files were read before, one thread", sizes)
            .enter(Role::Ours, "ours", || ours.run(&addrs))
            .enter(Role::Peer, "blazesym", || peer.run(&addrs))
            .faster(10.0, "ours", "blazesym");
        Ok::<_, String>(race.run(rounds))
    })?;
    let cold = || Live::open(pid).run(&addrs);
    let cold = Race::new("E1", "cold: nothing is known of any file", sizes)
        .clock(Clock::Wall)
        .enter(Role::Ours, "ours", cold)
        .enter(Role::Ours, "ours, one thread", || {
            symbolize::on_one_thread(cold)
        })
        .enter(Role::Peer, "blazesym", || {
            Blazesym::of_process(pid).run(&addrs)
        })
        .run(rounds);
    Ok(vec![warm, cold])
}

/// The program, blocked on reading input. It is killed when this is dropped.
struct Waiting(Child);

impl Waiting {
    fn spawn(program: &Path) -> Result<Self, String> {
        let mut command = Command::new(program);
        command.args(["nothing", "-"]);
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        let child = command.spawn().map(Self);
        let child = child.map_err(|error| format!("{}: {error}", program.display()))?;
        // Once it blocks in read(2), its libraries are loaded.
        for _ in 0..1_000 {
            let call = fs::read_to_string(format!("/proc/{}/syscall", child.0.id()));
            let read = libc::SYS_read.to_string();
            if call.is_ok_and(|call| call.split(' ').next() == Some(&read)) {
                return Ok(child);
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        Err("the program does not wait for its input".to_owned())
    }

    /// Returns the path and start address of the module whose name starts with `begin`.
    fn module(&self, begin: &str) -> Result<(PathBuf, u64), String> {
        let maps = fs::read_to_string(format!("/proc/{}/maps", self.0.id()));
        let maps = maps.map_err(|error| error.to_string())?;
        let first = maps.lines().find_map(|line| {
            let (range, rest) = line.split_once('-')?;
            let path = &rest[rest.find('/')?..];
            let name = Path::new(path).file_name()?.to_str()?;
            let start = u64::from_str_radix(range, 16).ok()?;
            name.starts_with(begin)
                .then(|| (PathBuf::from(path), start))
        });
        first.ok_or_else(|| format!("it has not loaded {begin}"))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // If it cannot be killed, it has already exited.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Returns the addresses of all frames. Those of the program have a Zipf distribution.
fn stacks(process: &Waiting, program: &[u64]) -> Result<Vec<u64>, String> {
    let (_, base) = process.module("rg")?;
    let (libc, libc_base) = process.module("libc.so")?;
    let file = symbolize::map(&libc);
    let object = object::File::parse(&*file).map_err(|error| error.to_string())?;
    let functions = object
        .dynamic_symbols()
        .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0)
        .map(|symbol| symbol.address()..symbol.address() + symbol.size());
    let functions: Vec<_> = functions.collect();
    let mut random = Random::new();
    let mut addrs = Vec::new();
    for frames in program.chunks_exact(PROGRAM_FRAMES).take(STACKS) {
        addrs.extend((0..LIBC_FRAMES).map(|_| libc_base + random.addr_in(&functions)));
        addrs.extend(frames.iter().map(|frame| base + frame));
    }
    Ok(addrs)
}

/// A session, a symbolizer, and the symbolizer's ID for each module of the session.
struct Live {
    session: Session,
    symbolizer: Symbolizer,
    modules: Vec<Option<ModuleId>>,
    outcomes: Vec<Outcome>,
    requests: Vec<Request>,
    answers: Answers,
}

impl Live {
    fn open(pid: u32) -> Self {
        let options = backsight_normalize::Options::default().with_images(true);
        Self {
            session: Session::open(pid, options).expect("it waits"),
            symbolizer: Symbolizer::new(Options::default()),
            modules: Vec::new(),
            outcomes: Vec::new(),
            requests: Vec::new(),
            answers: Answers::default(),
        }
    }

    fn run(&mut self, addrs: &[u64]) -> Consumed {
        let addrs = AbsAddr::from_slice(addrs);
        let normalized = self.session.normalize(addrs, &mut self.outcomes);
        normalized.expect("it waits");
        for known in self.session.modules().iter().skip(self.modules.len()) {
            let Some(ModuleImage::File(file)) = &known.image else {
                self.modules.push(None);
                continue;
            };
            let source = ModuleInput::File {
                file: file.clone(),
                path: Some(PathBuf::from(known.module.path_lossy().as_ref())),
            };
            let segments = known.module.segments.clone();
            let id = self.symbolizer.add(source, known.module.build_id, segments);
            self.modules.push(Some(id));
        }
        self.requests.clear();
        let request = |outcome: &Outcome| match *outcome {
            Outcome::Located {
                module,
                file_offset,
            } => Some(Request::new(
                self.modules[module.as_usize()]?,
                Place::File(file_offset),
                Lookup::Exact,
            )),
            _ => None,
        };
        self.requests
            .extend(self.outcomes.iter().filter_map(request));
        self.symbolizer
            .symbolize_into(&self.requests, &mut self.answers);
        Consumed::of(&self.answers)
    }
}
