//! A program with samples at known addresses.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use testkit::perf_file::{Event, PerfFile, USER, sample};

/// Line 9 is in a loop.
pub(crate) const SOURCE: &str = "\
static volatile int table[64];
static inline __attribute__((always_inline)) int inner(int of)
{
    int sum = of ^ table[of & 63];
    return sum * 7 + table[(sum >> 3) & 63];
}
__attribute__((noinline)) int work(int count)
{
    int sum = 1; for (int at = 0; at < count; at++) {
        sum += inner(at);
        if (sum & 1)
            table[at & 63] = sum;
        else
            sum ^= sum >> 5;
    }
    return sum;
}
int main(int argc, char **argv)
{
    return work(argc) + (argv == 0);
}
";

const USER_MARK: u64 = -512_i64 as u64;

/// Where the recording has the file.
const BASE: u64 = 0x5555_0000_0000;

/// The program, its source `app.c`, and `perf.data` in one directory.
pub(crate) struct Annotated {
    dir: TempDir,
    /// The samples of each address of `work`.
    samples: BTreeMap<u64, i64>,
}

impl Annotated {
    pub(crate) fn native() -> Result<Self, String> {
        Self::of("gcc", "objdump", &[])
    }

    /// A program that was compiled so, with 0 to 3 samples at each instruction of `work`, all
    /// called by `main`.
    pub(crate) fn of(compiler: &str, objdump: &str, flags: &[&str]) -> Result<Self, String> {
        Self::made((compiler, objdump), flags, SOURCE, 1)
    }

    /// A program whose `work` has so many instructions more, with samples at few of them.
    pub(crate) fn huge(count: usize) -> Result<Self, String> {
        let repeated = format!(".rept {count}\\n xorl $0x12345678, %0\\n .endr");
        let repeated = format!("int sum = 1; __asm__ volatile(\"{repeated}\" : \"+r\"(sum));");
        let source = SOURCE.replacen("int sum = 1;", &repeated, 1);
        Self::made(("gcc", "objdump"), &[], &source, count / 16)
    }

    fn made(
        (compiler, objdump): (&str, &str),
        flags: &[&str],
        text: &str,
        step: usize,
    ) -> Result<Self, String> {
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        let mut made = Self {
            dir,
            samples: BTreeMap::new(),
        };
        fs::write(made.path("app.c"), text).map_err(|error| error.to_string())?;
        let source = made.path("app.c");
        let args = [
            "-g",
            "-O1",
            "-Wl,--build-id",
            &source,
            "-o",
            &made.path("app"),
        ];
        made.tool(compiler, &[&args[..], flags].concat())?;
        let instructions = listing(&made, objdump, "work")?;
        for ((address, _), count) in instructions.iter().step_by(step).zip((0..4).cycle()) {
            if count > 0 {
                made.samples.insert(*address, count);
            }
        }
        let calls = made.tool(objdump, &["-d", "--no-show-raw-insn", &made.path("app")])?;
        let call = calls.lines().skip_while(|line| !line.contains("<main>:"));
        let mut call = call.skip_while(|line| !line.contains("<work>"));
        let after = call.nth(1).and_then(|line| line.split_once(':'));
        let (after, _) = after.ok_or("main does not call work")?;
        let after = u64::from_str_radix(after.trim(), 16).map_err(|error| error.to_string())?;
        made.record(after)?;
        Ok(made)
    }

    fn record(&self, caller: u64) -> Result<(), String> {
        use sample::{CALLCHAIN, IDENTIFIER, IP, PERIOD, TID, TIME};
        let mut file = PerfFile::new(
            false,
            &[Event {
                name: "cpu-clock",
                kind: 1,
                period: 1_000_000,
                sample_type: IDENTIFIER | IP | TID | TIME | PERIOD | CALLCHAIN,
                ids: vec![1],
                ..Event::default()
            }],
        );
        file.comm(7, 7, "app", 1);
        let app = self.path("app");
        let facts = testkit::tools::readelf(&[Path::new(&app)]).ok_or("no readelf")?;
        let facts = facts.first().ok_or("no facts")?;
        let id = facts.build_id.as_ref().ok_or("no build ID")?;
        let id: Vec<u8> = (0..id.len() / 2)
            .filter_map(|at| u8::from_str_radix(id.get(2 * at..2 * at + 2)?, 16).ok())
            .collect();
        let code = facts.loads.iter().find(|load| load.flags.contains('E'));
        let code = code.ok_or("no code")?;
        let in_memory = |virt: u64| BASE + virt - code.virt + code.offset;
        // Only the code is mapped, in whole pages: by that go tool pprof finds its program header.
        let (start, size) = (
            code.offset & !0xfff,
            code.memory_size + (code.offset & 0xfff),
        );
        let size = size.next_multiple_of(0x1000);
        // PERF_RECORD_MMAP2 with a build ID.
        file.record(10, USER | 1 << 14, |at| {
            at.u32(7).u32(7).words(&[BASE + start, size, start]);
            at.raw(&[20, 0, 0, 0]).raw(&id).u32(5).u32(2);
            at.text(&app).trailer(7, 7, 0, 1);
        });
        let mut time = 0;
        for (address, count) in &self.samples {
            for _ in 0..*count {
                time += 1_000_000;
                let ip = in_memory(*address);
                file.record(9, USER, |at| {
                    at.words(&[1, ip]).u32(7).u32(7).words(&[time, 1_000_000]);
                    at.words(&[3, USER_MARK, ip, in_memory(caller)]);
                });
            }
        }
        fs::write(self.path("perf.data"), file.file()).map_err(|error| error.to_string())
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_string_lossy().into_owned()
    }

    /// Returns the own and the total samples of each address.
    pub(crate) fn samples_of(&self, function: &str) -> BTreeMap<u64, (i64, i64)> {
        assert_eq!(function, "work");
        let all = self.samples.iter();
        all.map(|(address, count)| (*address, (*count, *count)))
            .collect()
    }

    /// Returns the functions and lines at an address, innermost first.
    pub(crate) fn addr2line(&self, address: u64) -> Vec<(String, u64)> {
        let address = format!("{address:#x}");
        let args = ["-i", "-f", "-e", &self.path("app"), &address];
        let printed = self.tool("addr2line", &args).expect("addr2line");
        let lines: Vec<&str> = printed.lines().collect();
        let pairs = lines.chunks(2).map(|pair| {
            let line = pair[1].rsplit(':').next().unwrap();
            let digits: String = line.chars().take_while(char::is_ascii_digit).collect();
            (pair[0].to_owned(), digits.parse().unwrap())
        });
        pairs.collect()
    }

    pub(crate) fn pprof(&self, args: &[&str]) -> Result<String, String> {
        let first = ["tool", "pprof", "-sample_index=samples"];
        let last = self.path("profile.pb.gz");
        self.tool("go", &[&first[..], args, &[&last]].concat())
    }

    fn tool(&self, name: &str, args: &[&str]) -> Result<String, String> {
        let mut command = Command::new(name);
        command.args(args).current_dir(self.dir.path());
        command
            .env("PPROF_TMPDIR", self.dir.path())
            .env("HOME", self.dir.path());
        let ran = command
            .output()
            .map_err(|error| format!("{name}: {error}"))?;
        match ran.status.success() {
            true => Ok(String::from_utf8_lossy(&ran.stdout).into_owned()),
            false => {
                let said = String::from_utf8_lossy(&ran.stderr);
                Err(format!("{name} {args:?}: {said}"))
            }
        }
    }
}

/// Returns the address and size of each instruction of a function, as objdump lists them.
pub(crate) fn listing(
    of: &Annotated,
    objdump: &str,
    function: &str,
) -> Result<Vec<(u64, u64)>, String> {
    let app = of.path("app");
    let disassemble = format!("--disassemble={function}");
    let listed = of.tool(objdump, &["-w", &disassemble, &app])?;
    let lines = listed.lines().filter_map(|line| {
        let (address, rest) = line.split_once(":\t")?;
        let (bytes, _) = rest.split_once('\t')?;
        let digits = bytes.chars().filter(char::is_ascii_hexdigit).count();
        let address = u64::from_str_radix(address.trim(), 16).ok()?;
        Some((address, u64::try_from(digits / 2).ok()?))
    });
    let lines: Vec<(u64, u64)> = lines.collect();
    match lines.len() {
        0..6 => Err(format!("{objdump} lists no {function}: {listed}")),
        _ => Ok(lines),
    }
}

/// Reads listings of `go tool pprof`.
pub(crate) struct PprofListing;

pub(crate) const LISTED: PprofListing = PprofListing;

impl PprofListing {
    /// `         3          5      9:    int sum = 1;`
    pub(crate) fn lines(&self, text: &str) -> BTreeMap<u64, (i64, i64)> {
        rows(text, 10)
    }

    /// `         3          5       1139: mov ...`
    pub(crate) fn addresses(&self, text: &str) -> BTreeMap<u64, (i64, i64)> {
        rows(text, 16)
    }
}

fn rows(text: &str, radix: u32) -> BTreeMap<u64, (i64, i64)> {
    let rows = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let mut amount = || match words.next()? {
            "." => Some(0),
            digits => digits.parse().ok(),
        };
        let (own, total) = (amount()?, amount()?);
        let (place, _) = words.next()?.split_once(':')?;
        let place = u64::from_str_radix(place, radix).ok()?;
        ((own, total) != (0, 0)).then_some((place, (own, total)))
    });
    rows.collect()
}
