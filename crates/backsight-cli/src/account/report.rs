//! Prints an account as a few lines, or as a line of JSON.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};

use backsight::account::{Account, FrameCounts};
use backsight_profile::Profile;
use backsight_types::ModuleKind;
use backsight_unwind::WalkEnd;
use serde_json::{Map, Value, json};

use super::ends;
use super::flags::When;
use super::help::{module_advice, name, reason_advice};
use super::maps;
use crate::failure::complain;
use crate::progress;

/// At most this many modules, reasons and causes are listed.
const MAX_MODULES: usize = 4;
const MAX_REASONS: usize = 5;
const MAX_CAUSES: usize = 3;

/// Prints the account of a conversion if `when` asks for it. `profile` has its modules; `value`
/// is the value of samples that is shown, if there are several. Returns whether it says how code
/// that was made at run time gets names.
pub(crate) fn report(
    account: &Account,
    when: When,
    profile: &Profile,
    value: Option<&str>,
) -> bool {
    let account = Report(account, value);
    let wanted = match when {
        When::Never => false,
        When::Always | When::Json => true,
        When::Auto => std::io::stderr().is_terminal() || account.is_incomplete(),
    };
    if !wanted {
        return false;
    }
    if when == When::Json {
        let line = ascii(&account.to_json(profile).to_string());
        // If standard error is closed, there is nowhere to report that.
        let _ = progress::above_bars(|| std::io::stderr().write_all(line.as_bytes()));
        return false;
    }
    for line in account.lines(profile) {
        complain(format_args!("{line}"));
    }
    account.advises_on_made(profile)
}

/// An account to be printed, and the value of samples that is shown.
struct Report<'a>(&'a Account, Option<&'a str>);

impl Report<'_> {
    fn is_incomplete(&self) -> bool {
        // Each address was answered on its own line, with its reason.
        if self.0.addresses.is_some() {
            return false;
        }
        let nameless = self.0.names.as_ref().map_or(0, FrameCounts::nameless);
        let inferred = self.0.names.as_ref().map_or(0, FrameCounts::inferred);
        // Where recorded memory ends, `record` says it.
        let ends = &self.0.left_out.ends;
        let cut = ends
            .iter()
            .filter(|(end, _)| !matches!(end, Some(WalkEnd::Outermost | WalkEnd::NotRecorded)));
        let cut = cut.fold(0_u64, |sum, (_, count)| sum.saturating_add(count));
        nameless.saturating_mul(20) > self.0.frames
            || cut.saturating_mul(2) > ends.total()
            || inferred > 0
            || !self.0.left_out.others.is_empty()
            || self.0.left_out.maps.iter().any(maps::lacks_something)
    }

    /// Whether code that was made at run time is among the modules that have advice.
    fn advises_on_made(&self, profile: &Profile) -> bool {
        let modules = self.0.names.iter().flat_map(FrameCounts::by_module);
        let mut listed = modules.take(MAX_MODULES);
        listed.any(|(index, ..)| {
            let module = profile.module(index);
            module.is_some_and(|module| module.kind == ModuleKind::Anonymous)
        })
    }

    fn lines(&self, profile: &Profile) -> Vec<String> {
        let mut samples = match self.0.addresses {
            Some(addresses) => format!("{addresses} addresses looked up"),
            None => format!(
                "{} samples read, {} written, {} stacks",
                self.0.read, self.0.written, self.0.stacks
            ),
        };
        if let Some(value) = self.1 {
            let _ = write!(samples, ", weighed by {value}");
        }
        // What is no sample, as a malformed line, is not added to samples.
        let (of_samples, others): (Vec<_>, Vec<_>) =
            (self.0.left_out.samples.iter()).partition(|(what, _)| what.starts_with("samples "));
        let listed = of_samples.iter().take(MAX_CAUSES).chain(&others);
        for (what, count) in listed {
            let _ = write!(samples, "; left out: {count} {what}");
        }
        let more = of_samples.iter().skip(MAX_CAUSES);
        let more = more.fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
        if more > 0 {
            let _ = write!(samples, "; {more} samples for other causes");
        }
        let mut lines = vec![samples];
        let others = self.0.left_out.others.iter();
        let others: Vec<String> = others.map(|(what, n)| format!("{n} {what}")).collect();
        if !others.is_empty() {
            lines.push(format!("left out besides samples: {}", others.join(", ")));
        }
        lines.extend(self.short_stacks());
        lines.extend(maps::lines(&self.0.left_out.maps));
        let inferred = self.0.names.as_ref().map_or(0, FrameCounts::inferred);
        if inferred > 0 {
            lines.push(format!(
                "{} of all frames are in text that its program moved to memory without a file: \
                 the file is inferred from what is mapped around it",
                self.share(inferred)
            ));
        }
        let Some(names) = self.0.names.as_ref().filter(|names| names.nameless() > 0) else {
            return lines;
        };
        let mut share = format!(
            "{} of all frames have no name:",
            self.share(names.nameless())
        );
        let reasons = names.by_reason();
        for (at, (reason, count)) in reasons.iter().take(MAX_REASONS).enumerate() {
            let comma = if at > 0 { "," } else { "" };
            let _ = write!(share, "{comma} {} {}", name(*reason), self.share(*count));
        }
        lines.push(share);
        for (index, reason, count) in names.by_module().into_iter().take(MAX_MODULES) {
            let Some(module) = profile.module(index) else {
                continue;
            };
            let advice = match module.kind {
                ModuleKind::Anonymous => maps::advice(&self.0.left_out.maps, &module.path),
                _ => module_advice(module, reason).to_owned(),
            };
            lines.push(format!(
                "  {} in {} ({}): {advice} would help",
                self.share(count),
                String::from_utf8_lossy(&module.path),
                name(reason),
            ));
        }
        // Then advice for the most frequent reason outside of modules that has one. It is about
        // stacks, so lone addresses get none.
        let mut reasons = reasons.iter().filter(|_| self.0.addresses.is_none());
        let help = reasons.find_map(|(reason, _)| {
            let help = reason_advice(*reason)?;
            Some(format!("  {}: {help}", name(*reason)))
        });
        lines.extend(help);
        lines
    }

    /// Returns a line on the stacks whose unwinding was cut short, if any.
    fn short_stacks(&self) -> Option<String> {
        let ends = &self.0.left_out.ends;
        let (total, short) = (ends.total(), ends::short(ends));
        let count = short
            .iter()
            .fold(0_u64, |sum, (_, n)| sum.saturating_add(*n));
        let each = short.iter().map(|(what, count)| format!("{count} {what}"));
        let each = each.collect::<Vec<_>>().join(", ");
        let what = "stacks recorded as memory are cut short";
        (count > 0).then(|| format!("{count} of {total} {what}: {each}"))
    }

    fn share(&self, count: u64) -> String {
        // In tenths of a percent.
        let tenths = u128::from(count).saturating_mul(1000);
        let tenths = tenths
            .checked_div(u128::from(self.0.frames))
            .unwrap_or_default();
        match tenths {
            0 => "less than 0.1 %".to_owned(),
            _ => format!("{}.{} %", tenths / 10, tenths % 10),
        }
    }

    fn to_json(&self, profile: &Profile) -> Value {
        let map = |counts: &[(String, u64)]| -> Map<String, Value> {
            let each = counts.iter();
            each.map(|(what, count)| (what.clone(), json!(count)))
                .collect()
        };
        let ends = ends::all(&self.0.left_out.ends).into_iter();
        let ends: Map<String, Value> = ends
            .map(|(what, count)| (what.to_owned(), json!(count)))
            .collect();
        let mut account = json!({
            "type": "account",
            "samples_read": self.0.read,
            "samples_written": self.0.written,
            "samples_left_out": map(&self.0.left_out.samples),
            "others_left_out": map(&self.0.left_out.others),
            "stacks_walked": self.0.left_out.ends.total(),
            "stacks_ended": ends,
            "jit_maps": maps::json(&self.0.left_out.maps),
            "stacks": self.0.stacks,
            "frames": self.0.frames,
        });
        if let (Some(value), Some(object)) = (self.1, account.as_object_mut()) {
            object.insert("weighed_by".to_owned(), json!(value));
        }
        if let (Some(names), Some(object)) = (&self.0.names, account.as_object_mut()) {
            let reasons = names.by_reason().into_iter();
            let reasons: Map<String, Value> = reasons
                .map(|(reason, count)| (name(reason).to_owned(), json!(count)))
                .collect();
            let modules = names
                .by_module()
                .into_iter()
                .filter_map(|(index, reason, count)| {
                    let module = profile.module(index)?;
                    let path = String::from_utf8_lossy(&module.path);
                    Some(json!({ "path": path, "reason": name(reason), "frames": count }))
                });
            object.insert("frames_with_name".to_owned(), json!(names.named()));
            object.insert("frames_inferred".to_owned(), json!(names.inferred()));
            object.insert("frames_without_name".to_owned(), Value::Object(reasons));
            object.insert("modules".to_owned(), modules.collect());
        }
        if let (Some(addresses), Some(object)) = (self.0.addresses, account.as_object_mut()) {
            object.insert("addresses".to_owned(), json!(addresses));
        }
        account
    }
}

/// Escapes non-ASCII characters in JSON and ends the line. Paths are untrusted, and standard
/// error may be a terminal.
fn ascii(json: &str) -> String {
    let mut line = String::with_capacity(json.len());
    for part in json.chars() {
        if part.is_ascii() && part != '\u{7f}' {
            line.push(part);
            continue;
        }
        for unit in part.encode_utf16(&mut [0; 2]) {
            let _ = write!(line, "\\u{unit:04x}");
        }
    }
    line.push('\n');
    line
}
