//! Draws how cost grows, from the JSON of `ratios -- E3`.
//!
//! ```sh
//! cargo bench -p benches --bench ratios -- E3
//! cargo run -p benches --bin plot -- target/ratios.json docs/plots
//! ```

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use benches::plot::{Line, Plot};
use serde_json::Value;

/// What may grow, what its axis is called, and what stays.
const GROWS: [(&str, &str, &str); 3] = [
    (
        "K",
        "addresses",
        "normalization against K, the addresses of a batch",
    ),
    (
        "M",
        "touched",
        "normalization against M, the VMAs that 10,000 addresses touch",
    ),
    (
        "N",
        "vmas",
        "normalization against N, the VMAs of the process; 100 addresses",
    ),
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [json, directory] = &args[..] else {
        eprintln!("usage: plot RATIOS-JSON DIRECTORY");
        return ExitCode::from(2);
    };
    match run(Path::new(json), Path::new(directory)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("plot: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(json: &Path, directory: &Path) -> Result<(), String> {
    let said = |why: &dyn std::fmt::Display| format!("{}: {why}", json.display());
    let text = std::fs::read(json).map_err(|why| said(&why))?;
    let report: Value = serde_json::from_slice(&text).map_err(|why| said(&why))?;
    let races = report["races"].as_array().ok_or(said(&"no races in it"))?;
    for (what, size, title) in GROWS {
        let lines = lines(races, what, size);
        if lines.is_empty() {
            return Err(said(&format!("no race of E3 against {what}")));
        }
        let plot = Plot {
            title,
            x: what,
            y: "time a call",
            lines,
        };
        let path = directory.join(format!("normalize-{}.svg", what.to_lowercase()));
        std::fs::create_dir_all(directory)
            .and_then(|()| std::fs::write(&path, plot.svg()))
            .map_err(|why| format!("{}: {why}", path.display()))?;
    }
    Ok(())
}

/// Returns a line for each contestant.
fn lines(races: &[Value], what: &str, size: &str) -> Vec<Line> {
    let mut lines: BTreeMap<usize, Line> = BTreeMap::new();
    for race in races {
        if race["row"] != "E3" || race["part"] != what {
            continue;
        }
        let lanes = race["lanes"].as_array().into_iter().flatten();
        for (nth, lane) in lanes.enumerate() {
            let (Some(x), Some(y), Some(name)) = (
                race["sizes"][size].as_f64(),
                lane["ns"]["median"].as_f64(),
                lane["name"].as_str(),
            ) else {
                continue;
            };
            let line = lines.entry(nth).or_insert_with(|| Line {
                name: name.to_owned(),
                points: Vec::new(),
            });
            line.points.push((x, y));
        }
    }
    lines.into_values().collect()
}
