//! Plots how cost grows, from the JSON of `ratios -- E3 E3s`.
//!
//! ```sh
//! cargo bench -p benches --bench ratios -- E3 E3s
//! cargo run -p benches --bin plot -- target/ratios.json docs/plots
//! ```

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use benches::plot::{Line, Plot};
use serde_json::Value;

/// A plot: cost against a growing size.
struct Growth {
    /// The row of `ratios`, and its part.
    row: &'static str,
    part: &'static str,
    /// The key of the size in the JSON.
    size: &'static str,
    axis: &'static str,
    title: &'static str,
    file: &'static str,
}

const GROWS: [Growth; 5] = [
    Growth {
        row: "E3",
        part: "K",
        size: "addresses",
        axis: "K",
        title: "normalization against K, the addresses of a batch",
        file: "normalize-k.svg",
    },
    Growth {
        row: "E3",
        part: "M",
        size: "touched",
        axis: "M",
        title: "normalization against M, the VMAs that 10,000 addresses touch",
        file: "normalize-m.svg",
    },
    Growth {
        row: "E3",
        part: "N",
        size: "vmas",
        axis: "N",
        title: "normalization against N, the VMAs of the process; 100 addresses",
        file: "normalize-n.svg",
    },
    Growth {
        row: "E3s",
        part: "D",
        size: "bytes",
        axis: "bytes",
        title: "cold symbolization against the bytes of the file and its debug file",
        file: "symbolize-size.svg",
    },
    Growth {
        row: "E3s",
        part: "K",
        size: "addresses",
        axis: "K",
        title: "cold symbolization against K, the addresses of a batch in samply",
        file: "symbolize-k.svg",
    },
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
    std::fs::create_dir_all(directory).map_err(|why| format!("{}: {why}", directory.display()))?;
    let mut drawn = false;
    for growth in &GROWS {
        let lines = lines(races, growth);
        // A run may have only one of the rows.
        if lines.is_empty() {
            continue;
        }
        drawn = true;
        let plot = Plot {
            title: growth.title,
            x: growth.axis,
            y: "time a call",
            lines,
        };
        let path = directory.join(growth.file);
        std::fs::write(&path, plot.svg()).map_err(|why| format!("{}: {why}", path.display()))?;
    }
    drawn.then_some(()).ok_or(said(&"no race of E3 or E3s"))
}

/// Returns a line for each contestant.
fn lines(races: &[Value], growth: &Growth) -> Vec<Line> {
    let mut lines: BTreeMap<usize, Line> = BTreeMap::new();
    for race in races {
        if race["row"] != growth.row || race["part"] != growth.part {
            continue;
        }
        let lanes = race["lanes"].as_array().into_iter().flatten();
        for (nth, lane) in lanes.enumerate() {
            let (Some(x), Some(y), Some(name)) = (
                race["sizes"][growth.size].as_f64(),
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
