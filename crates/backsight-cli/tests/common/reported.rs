//! A small recording, and the figures that `report` has of it.

use std::path::Path;

use crate::common::{json, of_type, run};

/// Two threads of a process and another process, with two events; a function that calls itself.
pub(crate) const SCRIPT: &str = "\
shop 7/7 1.000001: 10 cycles: \n\t1146 leaf (/app)\n\t2000 middle (/app)\n\t3000 main (/app)\n\n\
shop 7/7 1.000002: 30 cycles: \n\t1150 other (/lib/a.so)\n\t2000 middle (/app)\n\t3000 main (/app)\n\n\
worker 7/8 1.000003: 25 cycles: \n\t1146 leaf (/app)\n\t1148 leaf (/app)\n\t3000 main (/app)\n\n\
worker 7/8 1.000004: 5 faults: \n\t1150 other (/lib/a.so)\n\t3000 main (/app)\n\n\
till 9/9 1.000005: 35 cycles: \n\tffffffff81000010 do_thing ([kernel.kallsyms])\n\t3000 main (/till)\n\n";

/// The rows that `report` has: self, total, name.
pub(crate) fn reported(input: &Path, more: &[&str]) -> Vec<(String, String, String)> {
    let input = input.to_str().expect("UTF-8");
    let args = ["report", input, "--format", "json", "-q", "--no-symbols"];
    let ran = run([&args[..], more].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let lines = json(&ran.stdout);
    let whole = of_type(&lines, "report")[0]["whole"]
        .as_f64()
        .expect("a sum");
    let rows = of_type(&lines, "row").into_iter().map(|row| {
        let amount = |key: &str| row[key].as_f64().expect("an amount");
        let share = |key: &str| format!("{:.2}%", 100.0 * amount(key) / whole);
        let name = row["function"].as_str().expect("a name").to_owned();
        (share("self"), share("total"), name)
    });
    rows.collect()
}
