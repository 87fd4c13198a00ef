//! `annotate` of a recording made on the spot: each instruction has the share of the function's
//! samples that `perf annotate` has.

mod annotated;
mod common;

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use annotated::records::by_address;
use common::{json, run};
use testkit::{perf, skip};

/// Returns the share of each instruction of a function, in percent of the function's samples, by
/// its address; `None` if perf cannot show it.
fn by_perf(recording: &perf::Recording, function: &str) -> Option<BTreeMap<u64, f64>> {
    let perf = testkit::tools::tool("perf")?;
    let mut command = Command::new(perf);
    command.env("LC_ALL", "C").env("HOME", recording.dir());
    command.args(["annotate", "--stdio", "--no-source", "-i"]);
    command.arg(&recording.data).args(["-s", function]);
    let shown = command.stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    // `   71.72 :   1206:   add    $0x3039,%eax`
    let rows = text.lines().filter_map(|line| {
        let (share, rest) = line.split_once(':')?;
        let (address, _) = rest.split_once(':')?;
        let address = u64::from_str_radix(address.trim(), 16).ok()?;
        Some((address, share.trim().parse().ok()?))
    });
    let rows: BTreeMap<u64, f64> = rows.collect();
    (!rows.is_empty()).then_some(rows)
}

#[test]
fn instructions_have_the_shares_of_perf_annotate() {
    let Some(program) = perf::program() else {
        return skip("there is no C compiler");
    };
    let program = program.to_str().expect("UTF-8");
    let args = ["-q", "-e", "cpu-clock:u", "-F", "1999"];
    let recording = match perf::record(&args, &[program, "spin", "600000"]) {
        Ok(recording) => recording,
        Err(why) => return skip(&why),
    };
    let data = recording.data.to_str().expect("UTF-8");
    for function in ["leaf", "other_leaf"] {
        let Some(wanted) = by_perf(&recording, function) else {
            return skip("perf annotate shows nothing here, as where there is no objdump");
        };
        let args = [
            "annotate",
            data,
            &format!("^{function}$"),
            "--asm",
            "--whole",
        ];
        let ran = run([&args[..], &["-q", "--format", "json"]].concat()).ok();
        let found = by_address(&json(&ran));
        let all: i64 = found.values().map(|(own, _)| own).sum();
        assert!(all > 50, "{function}: {all} samples");
        for (address, share) in &wanted {
            let own = found.get(address).map_or(0, |(own, _)| *own);
            let ours = own as f64 / all as f64 * 100.0;
            // perf shows two digits behind the point.
            let differs = (ours - share).abs() > 0.0051;
            assert!(
                !differs,
                "{function} {address:#x}: {ours} {share}\n{wanted:?}\n{found:?}"
            );
        }
        let hot = found.iter().filter(|(_, (own, _))| *own != 0);
        let unknown: Vec<_> = hot.filter(|(at, _)| !wanted.contains_key(*at)).collect();
        assert!(unknown.is_empty(), "{function}: {unknown:?}");
    }
}
