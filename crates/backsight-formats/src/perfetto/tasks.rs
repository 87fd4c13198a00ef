//! Names of processes and threads.

use backsight_profile::Profile;
use hashbrown::HashMap;

use super::fields::{each_field, low};
use super::interned::Text;
use crate::flaws::Flaws;
use crate::protobuf::{Error, MemoryBudget, Value};

/// The names that the trace has, by ID.
#[derive(Debug, Default)]
pub(super) struct TaskNames {
    processes: HashMap<u32, Text>,
    threads: HashMap<u32, Text>,
}

impl TaskNames {
    /// Takes a `ProcessTree`. The last name of an ID counts.
    pub(super) fn take(
        &mut self,
        tree: &[u8],
        budget: &mut MemoryBudget,
        flaws: &mut Flaws,
    ) -> Result<(), Error> {
        let is_whole = each_field(tree, |number, value| {
            let (id, text, row, names) = match (number, value) {
                (1, Value::Bytes(row)) => (1, 3, row, &mut self.processes),
                (2, Value::Bytes(row)) => (1, 2, row, &mut self.threads),
                _ => return Ok(()),
            };
            let (mut task, mut name) = (None, None);
            each_field(row, |number, value| {
                match value {
                    Value::Varint(value) if number == id => task = Some(low(value)),
                    Value::Bytes(value) if number == text => {
                        name.get_or_insert(value);
                    }
                    _ => {}
                }
                Ok(())
            })?;
            if let Some((task, name)) = task.zip(name).filter(|(_, name)| !name.is_empty()) {
                budget.take_rows::<(u32, Text)>(2)?;
                budget.take(name.len())?;
                names.insert(task, name.into());
            }
            Ok(())
        })?;
        if !is_whole {
            flaws.count("lists of processes that cannot be decoded");
        }
        Ok(())
    }

    /// Names the processes and threads of the profile.
    pub(super) fn apply(&self, profile: &mut Profile) {
        for process in &mut profile.processes {
            if let Some(name) = self.processes.get(&process.pid) {
                // A command line begins with the path of the program; of an app it is its name.
                let name = String::from_utf8_lossy(name);
                let last = name.rsplit('/').next().filter(|last| !last.is_empty());
                process.name = Some(profile.strings.intern(last.unwrap_or(&name)));
            }
        }
        for thread in &mut profile.threads {
            let name = thread.tid.and_then(|tid| self.threads.get(&tid));
            if let Some(name) = name {
                thread.name = Some(profile.strings.intern(&String::from_utf8_lossy(name)));
            }
        }
    }
}
