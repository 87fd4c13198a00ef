//! Recognizes files that are not supported as input: what they are, and what to do instead.

use std::io::Read;

use flate2::bufread::MultiGzDecoder;

use crate::known_file::{INSPECTED_BYTES, by_magic};

/// The magic number of gzip.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// How many bytes of a compressed file are decompressed to recognize its format.
const INSPECTED_UNPACKED_BYTES: u64 = 1 << 16;

/// Returns the start of the content of a gzipped file; `begin` itself if nothing can be
/// decompressed; `None` for any other file.
pub(crate) fn unpacked(begin: &[u8]) -> Option<Vec<u8>> {
    if !begin.starts_with(&GZIP) {
        return None;
    }
    let mut inside = Vec::new();
    let mut unpacked = MultiGzDecoder::new(begin).take(INSPECTED_UNPACKED_BYTES);
    let mut piece = [0; 4096];
    let is_whole = loop {
        match unpacked.read(&mut piece) {
            Ok(0) => break true,
            Ok(count) => inside.extend(piece.iter().take(count)),
            Err(_) => break false,
        }
    };
    // A file that is damaged at its start must not be reported as empty.
    if inside.is_empty() && !is_whole {
        inside.extend_from_slice(begin);
    }
    Some(inside)
}

/// Returns what an unsupported file is, and the way out; `None` if it is not recognized.
pub(crate) fn known(begin: &[u8]) -> Option<(&'static str, &'static str)> {
    let begin = begin.get(..INSPECTED_BYTES).unwrap_or(begin);
    if begin.is_empty() {
        let way_out = "nothing was written to it: record again";
        return Some(("empty", way_out));
    }
    match by_magic(begin) {
        Some(known) => known.for_stacks.map(|way_out| (known.what, way_out)),
        None => by_text(begin),
    }
}

/// Returns what a text is, and where stacks were to be in it, the way out.
pub(crate) fn by_text(begin: &[u8]) -> Option<(&'static str, &'static str)> {
    let text = String::from_utf8_lossy(begin);
    let text = text.trim_start_matches('\u{feff}').trim_ascii_start();
    let has = |word: &str| text.contains(word);
    if text.starts_with(['{', '[']) {
        return by_json(text);
    }
    if text.starts_with("<svg") || (text.starts_with("<?xml") && has("<svg")) {
        let way_out = "a picture does not contain the stacks: give the recording, or the folded \
                       stacks it was drawn from";
        return Some(("an SVG picture, such as a flame graph", way_out));
    }
    if text.starts_with("<!DOCTYPE") || text.starts_with("<html") || text.starts_with("<!doctype") {
        let way_out = "a page does not contain the stacks: give the recording it shows";
        return Some(("an HTML page", way_out));
    }
    if text.starts_with("PeriodType:") || text.starts_with("Comment:") && has("Samples:") {
        let way_out = "give the profile itself, which `go tool pprof -proto` writes";
        return Some(("the text of `go tool pprof -raw`", way_out));
    }
    if has("\nShowing nodes accounting for") || text.starts_with("Showing nodes accounting for") {
        let way_out = "a report does not contain the stacks: give the profile itself";
        return Some(("a report of `go tool pprof`", way_out));
    }
    if has("# Samples:") && has("# Overhead") || has("# To display the perf.data header info") {
        let way_out = "a report does not contain the samples: give the perf.data it was made from";
        return Some(("a report of `perf`", way_out));
    }
    if text.starts_with("Attaching ") && has(" probe") || text.starts_with("@[") || has("\n@[") {
        let way_out = "fold it first, with stackcollapse-bpftrace.pl, and give the folded stacks";
        return Some(("output of bpftrace", way_out));
    }
    is_dtrace(text).then_some((
        "output of dtrace",
        "fold it first, with stackcollapse.pl, and give the folded stacks",
    ))
}

/// Recognizes JSON formats by their keys.
fn by_json(text: &str) -> Option<(&'static str, &'static str)> {
    let has = |word: &str| text.contains(word);
    if has("\"traceEvents\"") || (text.starts_with('[') && has("\"ph\"")) {
        let way_out = "backsight does not read it: give the `perf` recording if there is one, or \
                       record with `node --cpu-prof`, whose .cpuprofile it reads";
        return Some(("a trace of Chrome", way_out));
    }
    if has("\"callFrame\"") && (has("\"selfSize\"") || has("\"head\"")) {
        let way_out = "backsight reads the .cpuprofile of Node.js 8 and later, and Chrome 58 and \
                       later: record again, or convert it to pprof with another tool";
        return Some((
            "a .heapprofile, or an old .cpuprofile of V8 (Chrome, Node.js)",
            way_out,
        ));
    }
    let meta = has("\"meta\"") && (has("\"interval\"") || has("\"processType\""));
    if meta || has("\"preprocessedProfileVersion\"") {
        let way_out = "backsight writes it and does not read it: give what it was made from";
        return Some(("a profile of the Firefox Profiler", way_out));
    }
    // Our own NDJSON starts with `type`, and OpenTelemetry's JSON with its resources.
    let is_ours = text.starts_with("{\"type\"")
        || has("\"resourceProfiles\"")
        || has("\"resource_profiles\"");
    (text.starts_with('[') || (!is_ours && !has("\"type\""))).then_some((
        "JSON of an unknown format",
        "give NDJSON of backsight, one object per line, or what the JSON was made from",
    ))
}

/// Recognizes stacks with lines such as `module`function+0x1f`, each stack followed by a count.
fn is_dtrace(text: &str) -> bool {
    let is_frame = |line: &str| {
        let place = line.trim_ascii().split_once('`');
        place.is_some_and(|(module, name)| {
            !module.is_empty() && !module.contains([' ', ';']) && name.contains("+0x")
        })
    };
    text.lines().filter(|line| is_frame(line)).take(2).count() == 2
}

#[cfg(test)]
mod tests {
    use super::known;

    #[test]
    fn supported_formats_are_not_foreign() {
        let fine: [&[u8]; 9] = [
            b"{\"type\":\"header\",\"schema_version\":1}\n",
            b"{\"schema_version\":1,\"type\":\"header\"}\n",
            b"{\"resourceProfiles\":[]}",
            b"PERFILE2",
            b"\x0a\x04\x08\x01\x10\x02",
            b"survey  8137 28296.545590: 1 cpu-clock: \n",
            b"a;b 1\n",
            b"heap profile: 1: 2 [1: 2] @ heapprofile\n",
            b"--- contentionz 1 ---\n",
        ];
        for begin in fine {
            let text = String::from_utf8_lossy(begin);
            assert_eq!(known(begin), None, "{text}");
        }
    }
}
