//! Metadata of a recording that is added to the profile at the end.

use backsight_profile::Profile;
use backsight_types::trace::Facts;
use backsight_types::{ModuleKind, Reason};

use super::build_ids::RecordedBuildIds;

/// Sets the build IDs that became known only at the end of the recording.
pub(super) fn complete(build_ids: &RecordedBuildIds, profile: &mut Profile) {
    // A recording written to a pipe lists build IDs last.
    for module in &mut profile.modules {
        let is_kernel = module.kind == ModuleKind::Kernel;
        if module.build_id.is_none() && !module.deleted {
            module.build_id = build_ids.of(&mut module.path, is_kernel);
            if module.build_id.is_some() && module.unreadable == Some(Reason::IdentityUnproven) {
                module.unreadable = None;
            }
        }
    }
}

/// Adds command, host and start time as comments. `times` are those of the first and the last
/// sample, in nanoseconds.
pub(super) fn comment(facts: &Facts, times: Option<(u64, u64)>, profile: &mut Profile) {
    let Profile {
        comments, strings, ..
    } = &mut *profile;
    let mut say = |what: &str, text: Option<&str>| {
        if let Some(text) = text {
            comments.push(strings.intern(&format!("{what}: {text}")));
        }
    };
    let command = facts.command.join(" ");
    say(
        "command",
        Some(command.as_str()).filter(|text| !text.is_empty()),
    );
    say("host", facts.hostname.as_deref());
    say("kernel", facts.os_release.as_deref());
    say("machine", facts.arch.as_deref());
    say("processor", facts.cpu.as_deref());
    say("perf", facts.perf_version.as_deref());
    if let Some((first, last)) = times {
        profile.duration_ns = last.checked_sub(first);
        // The recording has one instant on both clocks; that gives the offset to calendar time.
        let since_1970 = facts.clock.and_then(|(wall, clock)| {
            let boot = wall.checked_sub(clock)?;
            boot.checked_add(first)
        });
        profile.start_ns = since_1970;
    }
}
