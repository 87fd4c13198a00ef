//! What a recording says of itself, and of its files, at its end.

use backsight_formats::perf_data::Facts;
use backsight_types::profile::Profile;
use backsight_types::{ModuleKind, Reason};

use super::Capture;

impl Capture {
    /// Says what is known at the end alone.
    pub(super) fn conclude(&mut self, facts: &Facts) {
        self.events(&facts.events);
        self.columns.choose(&mut self.profile);
        self.take_build_ids(facts);
        // A pipe tells build IDs last.
        for module in &mut self.profile.modules {
            let is_kernel = module.kind == ModuleKind::Kernel;
            if module.build_id.is_none() && !module.deleted {
                let key = (std::mem::take(&mut module.path), is_kernel);
                module.build_id = self.build_ids.get(&key).copied();
                module.path = key.0;
                if module.build_id.is_some() && module.unreadable == Some(Reason::IdentityUnproven)
                {
                    module.unreadable = None;
                }
            }
        }
        let Profile {
            comments, strings, ..
        } = &mut self.profile;
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
        if let Some((first, last)) = self.times {
            self.profile.duration_ns = last.checked_sub(first);
            // One instant on both clocks puts all others into the calendar.
            let since_1970 = facts.clock.and_then(|(wall, clock)| {
                let boot = wall.checked_sub(clock)?;
                boot.checked_add(first)
            });
            self.profile.start_ns = since_1970;
        }
    }
}
