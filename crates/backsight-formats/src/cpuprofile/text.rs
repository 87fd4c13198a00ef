//! Reads the text of a file into flat tables, whose members may come in any order.

use std::borrow::Cow;
use std::collections::HashMap;

use backsight_profile::{Location, LocationIdx, Profile, ProfileFrame, StrIdx};
use serde::Deserialize;
use serde::de::MapAccess;

use crate::flaws::Flaws;
use crate::json_number::Number;
use crate::json_walk::{Each, Members, Taken, object};
use crate::protobuf::{Error, MemoryBudget};

/// The name of the node that all others are below.
const ROOT: &str = "(root)";

/// A file that was read.
#[derive(Debug)]
pub(super) struct V8File {
    pub(super) profile: Profile,
    pub(super) flaws: Flaws,
    pub(super) budget: MemoryBudget,
    pub(super) nodes: Vec<CallNode>,
    /// The lines of all nodes that were sampled.
    pub(super) lines: Vec<LineHits>,
    /// The index of each node by its ID.
    pub(super) ids: HashMap<i64, usize>,
    /// The index of a node, and the ID of one of its children.
    pub(super) children: Vec<(usize, i64)>,
    pub(super) samples: Vec<i64>,
    pub(super) deltas: Vec<Number>,
    pub(super) start: Number,
    pub(super) end: Option<Number>,
    functions: HashMap<Function, LocationIdx>,
    on_lines: HashMap<(LocationIdx, u32), LocationIdx>,
    has_nodes: bool,
}

/// A node of the call tree.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallNode {
    /// `None` for the root.
    pub(super) location: Option<LocationIdx>,
    pub(super) hits: i64,
    /// Its first line in the list of lines, and behind its last one.
    pub(super) lines: (usize, usize),
}

/// A line of a node, with its samples.
#[derive(Clone, Copy, Debug)]
pub(super) struct LineHits {
    pub(super) line: u32,
    pub(super) hits: i64,
}

/// A function: name, file, first line.
type Function = (StrIdx, Option<StrIdx>, Option<u32>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NodeText<'t> {
    id: Number,
    #[serde(borrow)]
    call_frame: CallFrame<'t>,
    #[serde(default)]
    hit_count: Number,
    #[serde(default)]
    children: Vec<Number>,
    #[serde(default)]
    position_ticks: Vec<PositionTick>,
}

/// How many samples of a node were taken on a line.
#[derive(Deserialize)]
struct PositionTick {
    line: Number,
    ticks: Number,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CallFrame<'t> {
    #[serde(borrow)]
    function_name: Cow<'t, str>,
    #[serde(borrow)]
    url: Option<Cow<'t, str>>,
    line_number: Option<Number>,
}

/// Reads a text. What is read is counted to the budget.
pub(super) fn read(text: &[u8], budget: MemoryBudget) -> Result<V8File, Error> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut file = V8File {
        profile: Profile::default(),
        flaws: Flaws::default(),
        budget,
        nodes: Vec::new(),
        lines: Vec::new(),
        ids: HashMap::new(),
        children: Vec::new(),
        samples: Vec::new(),
        deltas: Vec::new(),
        start: Number::default(),
        end: None,
        functions: HashMap::new(),
        on_lines: HashMap::new(),
        has_nodes: false,
    };
    if let Err(error) = object(text, &mut file) {
        return Err(file.budget.exceeded().unwrap_or(error));
    }
    match file.has_nodes {
        true => Ok(file),
        false => Err(Error::Malformed {
            offset: 0,
            reason: "it has no `nodes`",
        }),
    }
}

impl<'de> Members<'de> for V8File {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<Taken, A::Error> {
        match name {
            "nodes" => {
                self.has_nodes = true;
                map.next_value_seed(Each::new(|node: NodeText<'de>| self.node(&node)))?;
            }
            "samples" => map.next_value_seed(Each::new(|id: Number| {
                self.budget.take_rows::<i64>(1)?;
                self.samples.push(id.times(1).0);
                Ok(())
            }))?,
            "timeDeltas" => map.next_value_seed(Each::new(|delta: Number| {
                self.budget.take_rows::<Number>(1)?;
                self.deltas.push(delta);
                Ok(())
            }))?,
            "startTime" => self.start = map.next_value()?,
            "endTime" => self.end = map.next_value()?,
            _ => return Ok(Taken::No),
        }
        Ok(Taken::Yes)
    }
}

impl V8File {
    fn node(&mut self, text: &NodeText<'_>) -> Result<(), Error> {
        self.budget.take_rows::<(CallNode, i64, usize)>(1)?;
        self.budget.take_rows::<(usize, i64)>(text.children.len())?;
        let location = match &*text.call_frame.function_name {
            ROOT => None,
            _ => self.location(&text.call_frame)?,
        };
        self.budget
            .take_rows::<LineHits>(text.position_ticks.len())?;
        let first = self.lines.len();
        for tick in &text.position_ticks {
            let (line, hits) = (tick.line.times(1).0, tick.ticks.times(1).0);
            // V8 has line 0 for code without a place.
            match u32::try_from(line) {
                Ok(0) => {}
                Ok(line) if hits > 0 => self.lines.push(LineHits { line, hits }),
                _ => self
                    .flaws
                    .count("counts of lines that are negative or too large"),
            }
        }
        let at = self.nodes.len();
        self.nodes.push(CallNode {
            location,
            hits: text.hit_count.times(1).0,
            lines: (first, self.lines.len()),
        });
        if self.ids.insert(text.id.times(1).0, at).is_some() {
            self.flaws.count("nodes with the ID of another one");
        }
        let children = text.children.iter().map(|child| (at, child.times(1).0));
        self.children.extend(children);
        Ok(())
    }

    /// Returns a function on one of its lines. Of code that was inlined from another file V8 gives
    /// the line in that file, which is not named: a line before the begin of the function is none of
    /// its own, and is left out.
    pub(super) fn on_line(
        &mut self,
        function: LocationIdx,
        line: u32,
    ) -> Result<LocationIdx, Error> {
        if let Some(known) = self.on_lines.get(&(function, line)) {
            return Ok(*known);
        }
        let Some(location) = self.profile.location(function).copied() else {
            return Ok(function);
        };
        self.budget
            .take_rows::<(ProfileFrame, Location, LocationIdx, u32, LocationIdx)>(1)?;
        let frames = self.profile.frames_of(&location).iter();
        let mut starts = frames.clone().filter_map(|frame| frame.start_line);
        if starts.any(|start| line < start) || frames.clone().any(|frame| frame.file.is_none()) {
            self.on_lines.insert((function, line), function);
            return Ok(function);
        }
        let frames: Vec<ProfileFrame> = frames
            .map(|frame| ProfileFrame {
                line: Some(line),
                ..*frame
            })
            .collect();
        let new = Location {
            frames: self.profile.add_frames(frames).unwrap_or_default(),
            ..location
        };
        let new = self.profile.add_location(new).unwrap_or(function);
        self.on_lines.insert((function, line), new);
        Ok(new)
    }

    fn location(&mut self, frame: &CallFrame<'_>) -> Result<Option<LocationIdx>, Error> {
        let name = match &*frame.function_name {
            "" => "(anonymous)",
            name => name,
        };
        let file = frame.url.as_deref().map(path_of);
        let file = file.as_deref().filter(|file| !file.is_empty());
        self.budget
            .take(name.len().saturating_add(file.map_or(0, str::len)))?;
        let strings = &mut self.profile.strings;
        let name = strings.intern(name);
        let file = file.map(|file| strings.intern(file));
        // -1 for what has no source.
        let line = frame.line_number.map(|line| line.times(1).0);
        let line = line.filter(|line| *line >= 0).and_then(|line| {
            let line = line
                .checked_add(1)
                .and_then(|line| u32::try_from(line).ok());
            if line.is_none() {
                self.flaws.count("lines that do not fit 32 bits");
            }
            line
        });
        if let Some(known) = self.functions.get(&(name, file, line)) {
            return Ok(Some(*known));
        }
        self.budget
            .take_rows::<(ProfileFrame, Location, Function, LocationIdx)>(1)?;
        let frames = self.profile.add_frames([ProfileFrame {
            function: Some(name),
            file,
            start_line: line,
            ..ProfileFrame::default()
        }]);
        let new = self.profile.add_location(Location {
            frames: frames.unwrap_or_default(),
            ..Location::default()
        });
        match new {
            Some(new) => {
                self.functions.insert((name, file, line), new);
            }
            None => self.flaws.count("functions beyond the 2^32nd"),
        }
        Ok(new)
    }
}

/// Returns the path of a `file:` URL, and any other URL as it is (`node:fs`, `https://…`).
fn path_of(url: &str) -> Cow<'_, str> {
    let path = url
        .strip_prefix("file://")
        .filter(|path| path.starts_with('/'));
    let Some(path) = path else {
        return Cow::Borrowed(url);
    };
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((byte, behind)) = rest.split_first() {
        let escaped = behind.split_at_checked(2).filter(|_| *byte == b'%');
        let escaped = escaped.and_then(|(digits, behind)| {
            let digits = std::str::from_utf8(digits).ok()?;
            Some((u8::from_str_radix(digits, 16).ok()?, behind))
        });
        let (byte, behind) = escaped.unwrap_or((*byte, behind));
        bytes.push(byte);
        rest = behind;
    }
    match String::from_utf8(bytes) {
        Ok(path) => Cow::Owned(path),
        Err(_) => Cow::Borrowed(url),
    }
}

#[cfg(test)]
mod tests {
    use super::path_of;

    #[test]
    fn urls_of_files_become_paths() {
        let cases = [
            ("file:///a/b.js", "/a/b.js"),
            ("file:///a%20b/%C3%A4.js", "/a b/ä.js"),
            ("file:///a%", "/a%"),
            ("file:///a%zz", "/a%zz"),
            ("file:///%ff", "file:///%ff"),
            ("file://host/a", "file://host/a"),
            ("node:fs", "node:fs"),
            ("", ""),
        ];
        for (url, want) in cases {
            assert_eq!(path_of(url), want);
        }
    }
}
