//! Writes folded stacks.

use std::collections::HashMap;
use std::io::{self, Write};

use backsight_profile::{Label, LabelValue, Profile, Sample, StackIdx, StrIdx, ThreadIdx};

use super::options::{Options, RootFrame};
use super::tree::{NodeIdx, Tree};
use super::value::Decimal;
use crate::escape::Folded;
use crate::place_name::UNKNOWN;

/// Writes each stack with the sum of one of its values, sorted by names.
///
/// `sample_type` is the index of the value's sample type. `options` can be a [`RootFrame`] alone.
/// Stacks whose sum is 0 are left out. A stack without addresses is written as `[unknown]`.
///
/// # Errors
/// Those of the output.
pub fn write(
    profile: &Profile,
    sample_type: usize,
    options: impl Into<Options>,
    out: &mut impl Write,
) -> io::Result<()> {
    let options = options.into();
    let mut tree = Tree::new(options);
    let mut roots: Vec<Root> = Vec::new();
    let mut root_at: HashMap<Option<NodeIdx>, usize> = HashMap::new();
    let mut root_of: HashMap<(Option<ThreadIdx>, Option<StrIdx>), usize> = HashMap::new();
    let comm = profile.strings.find("comm");
    for (sample, values, labels) in profile.samples.iter() {
        let Some(value) = value_of(sample, values, sample_type).filter(|value| *value != 0) else {
            continue;
        };
        let name = match sample.thread {
            Some(_) => None,
            None => comm.and_then(|comm| text_of(labels, comm)),
        };
        let at = *root_of.entry((sample.thread, name)).or_insert_with(|| {
            let root = root_frame_of(profile, sample, name, options.root_frame)
                .map(|name| tree.names.intern(&name));
            let node = root.map(|name| tree.call(None, name));
            *root_at.entry(node).or_insert_with(|| {
                let known = HashMap::new();
                roots.push(Root { node, known });
                roots.len().saturating_sub(1)
            })
        });
        let Some(Root { node, known }) = roots.get_mut(at) else {
            continue;
        };
        let node = match tree.stack(profile, *node, sample.stack, known) {
            Some(node) => node,
            None => {
                let unknown = tree.names.intern(UNKNOWN);
                tree.call(None, unknown)
            }
        };
        tree.add(node, value);
    }
    // The current line, and the end of each name in it.
    let mut line = String::new();
    let mut ends: Vec<usize> = Vec::new();
    tree.walk(|depth, name, value| {
        use std::fmt::Write as _;
        ends.truncate(depth);
        line.truncate(ends.last().copied().unwrap_or_default());
        if depth > 0 {
            line.push(';');
        }
        // A `#` at the start of a line would make it a comment.
        let name = match name.strip_prefix('#').filter(|_| depth == 0) {
            Some(rest) => {
                line.push_str("\\x23");
                rest
            }
            None => name,
        };
        // Writing to a string cannot fail.
        let _ = write!(line, "{}", Folded(name));
        ends.push(line.len());
        if value == 0 {
            return Ok(());
        }
        // A number after the last blank of a name would be read as the first value of a comparison.
        match line.rsplit_once(' ') {
            Some((before, number)) if Decimal::read(number).is_some() => {
                writeln!(out, "{before}\\x20{number} {value}")
            }
            _ => writeln!(out, "{line} {value}"),
        }
    })
}

/// The root frame of the stacks of some threads.
struct Root {
    node: Option<NodeIdx>,
    /// The nodes of stacks below it that were added already.
    known: HashMap<StackIdx, NodeIdx>,
}

/// Returns the value of one sample type.
fn value_of(sample: Sample, values: &[i64], sample_type: usize) -> Option<i64> {
    let first = usize::try_from(sample.first_type).ok()?;
    values.get(sample_type.checked_sub(first)?).copied()
}

/// Returns the text of the label with this key.
fn text_of(labels: &[Label], key: StrIdx) -> Option<StrIdx> {
    let label = labels.iter().find(|label| label.key == key)?;
    match label.value {
        LabelValue::Text(text) => Some(text),
        LabelValue::Number(..) => None,
    }
}

/// Returns the name of the root frame. `comm` is the name of a process without an ID.
fn root_frame_of(
    profile: &Profile,
    sample: Sample,
    comm: Option<StrIdx>,
    root_frame: RootFrame,
) -> Option<String> {
    if let Some(comm) = comm {
        let name = profile.strings.get(comm)?.to_owned();
        return match root_frame {
            RootFrame::None => None,
            RootFrame::Process => Some(name),
            RootFrame::Thread => Some(format!("{name}-?/?")),
        };
    }
    let thread = profile.thread(sample.thread?)?;
    let process = profile.process(thread.process)?;
    let name = |at: Option<StrIdx>| {
        let name = profile.strings.get(at?)?;
        (!name.is_empty()).then_some(name)
    };
    let pid = process.pid;
    match root_frame {
        RootFrame::None => None,
        RootFrame::Process => {
            let name = name(process.name).map(str::to_owned);
            Some(name.unwrap_or_else(|| pid.to_string()))
        }
        RootFrame::Thread => {
            let name = name(thread.name).or(name(process.name)).unwrap_or(UNKNOWN);
            let tid = thread
                .tid
                .map_or_else(|| "?".to_owned(), |tid| tid.to_string());
            Some(format!("{name}-{pid}/{tid}"))
        }
    }
}
