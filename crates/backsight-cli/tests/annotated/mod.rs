//! A program with samples at known addresses.

#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod records;

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

/// `work` calls itself from two lines.
const RECURSIVE: &str = "\
__attribute__((noinline)) int work(int depth, volatile int *table)
{
    if (depth <= 0)
        return table[0];
    int sum = work(depth - 1, table);
    sum ^= work(depth - 2, table + 1) * 3;
    return sum + 1;
}
int main(int argc, char **argv)
{
    volatile int table[2] = {argc, argv == 0};
    return work(argc, table) + 1;
}
";

/// `work` calls a function of another file, by way of the procedure linkage table, and, as gcc inlines
/// `main`, itself.
const CALLING: &str = "\
int puts(const char *text);
int main(int argc, char **argv);
__attribute__((noinline)) int work(int count)
{
    int sum = 1;
    for (int at = 0; at < count; at++)
        sum += puts(\"work\") * 3;
    if (sum == 7)
        sum += main(0, 0) + 1;
    return sum + 1;
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
    /// The stacks of the samples in the file's addresses, innermost first.
    stacks: Vec<(Vec<u64>, i64)>,
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

    /// A program whose `work` calls other functions.
    pub(crate) fn calling() -> Result<Self, String> {
        Self::made(("gcc", "objdump"), &["-Wl,-z,lazy"], CALLING, 1)
    }

    /// Returns the names that objdump gives the targets of the jumps and calls of a function, by
    /// the address of the instruction.
    pub(crate) fn named_targets(&self, function: &str) -> Result<BTreeMap<u64, String>, String> {
        let disassemble = format!("--disassemble={function}");
        let args = ["-w", "--no-show-raw-insn", &disassemble, &self.path("app")];
        let listed = self.tool("objdump", &args)?;
        let rows = listed.lines().filter_map(|line| {
            let (address, rest) = line.split_once(":\t")?;
            let (operation, rest) = rest.split_once(char::is_whitespace)?;
            let is_jump = operation.starts_with('j') || operation == "call";
            let (_, name) = rest
                .split_once('<')
                .filter(|_| is_jump && !rest.contains('#'))?;
            let address = u64::from_str_radix(address.trim(), 16).ok()?;
            Some((address, name.trim_end().trim_end_matches('>').to_owned()))
        });
        Ok(rows.collect())
    }

    /// A program whose `work` calls itself, with samples in it and one to four calls deep, also
    /// at the instructions that call.
    pub(crate) fn recursive() -> Result<Self, String> {
        let mut made = Self::compiled("gcc", &[], RECURSIVE)?;
        let instructions = listing(&made, "objdump", "work")?;
        let returns = made.returns("objdump", "work")?;
        let [first, second] = returns[..] else {
            return Err(format!("work calls itself in other places: {returns:x?}"));
        };
        let [outer] = made.returns("objdump", "main")?[..] else {
            return Err("main does not call work".to_owned());
        };
        let calls: [&[u64]; 5] = [
            &[],
            &[first],
            &[second],
            &[first, first, second],
            &[second, first, second, second],
        ];
        for ((address, _), count) in instructions.iter().zip((0..4).cycle()) {
            for (calls, count) in calls.iter().zip(count..) {
                let stack = [&[*address], *calls, &[outer]].concat();
                made.stacks.push((stack, count));
                *made.samples.entry(*address).or_default() += count;
            }
        }
        made.samples.retain(|_, count| *count > 0);
        made.record()?;
        Ok(made)
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
        let mut made = Self::compiled(compiler, flags, text)?;
        let instructions = listing(&made, objdump, "work")?;
        let calls = made.returns(objdump, "main")?;
        let after = *calls.first().ok_or("main does not call work")?;
        for ((address, _), count) in instructions.iter().step_by(step).zip((0..4).cycle()) {
            if count > 0 {
                made.samples.insert(*address, count);
                made.stacks.push((vec![*address, after], count));
            }
        }
        made.record()?;
        Ok(made)
    }

    fn compiled(compiler: &str, flags: &[&str], text: &str) -> Result<Self, String> {
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        let made = Self {
            dir,
            samples: BTreeMap::new(),
            stacks: Vec::new(),
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
        Ok(made)
    }

    /// Returns the addresses after the calls of `work` in a function.
    fn returns(&self, objdump: &str, function: &str) -> Result<Vec<u64>, String> {
        let listed = self.tool(objdump, &["-d", "--no-show-raw-insn", &self.path("app")])?;
        let head = format!("<{function}>:");
        let lines = listed.lines().skip_while(|line| !line.contains(&head));
        let lines: Vec<&str> = lines.skip(1).take_while(|line| !line.is_empty()).collect();
        let mut found = Vec::new();
        for (call, next) in lines.iter().zip(lines.iter().skip(1)) {
            if call.contains("<work>") {
                let (after, _) = next.split_once(':').ok_or("no address")?;
                let after = u64::from_str_radix(after.trim(), 16);
                found.push(after.map_err(|error| error.to_string())?);
            }
        }
        Ok(found)
    }

    fn record(&self) -> Result<(), String> {
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
        for (stack, count) in &self.stacks {
            let chain: Vec<u64> = stack.iter().map(|address| in_memory(*address)).collect();
            let (ip, length) = (chain[0], u64::try_from(chain.len()).unwrap());
            for _ in 0..*count {
                time += 1_000_000;
                file.record(9, USER, |at| {
                    at.words(&[1, ip]).u32(7).u32(7).words(&[time, 1_000_000]);
                    at.words(&[length + 1, USER_MARK]).words(&chain);
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

    /// Returns the samples of each instruction of `work`, by a scan of all stacks for each: those
    /// that were taken there, and those that have it in their stack. A caller is at the
    /// instruction before the address that it returns to.
    pub(crate) fn scanned(&self, instructions: &[(u64, u64)]) -> BTreeMap<u64, (i64, i64)> {
        let mut all = BTreeMap::new();
        for (start, size) in instructions {
            let own = self.stacks.iter().filter(|(stack, _)| stack[0] == *start);
            let total = self.stacks.iter().filter(|(stack, _)| {
                stack[0] == *start || stack[1..].iter().any(|after| *after == start + size)
            });
            let sum =
                |of: &mut dyn Iterator<Item = &(Vec<u64>, i64)>| of.map(|(_, count)| count).sum();
            let of: (i64, i64) = (sum(&mut { own }), sum(&mut { total }));
            if of != (0, 0) {
                all.insert(*start, of);
            }
        }
        all
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
