//! Text of a file that its program moved to anonymous memory, as the records of a trace tell of it.
//!
//! ```text
//!   MMAP2 /usr/bin/prog, offset 0x1000      below
//!   MMAP2 //anon                            taken as /usr/bin/prog, offset 0x201000
//!   MMAP2 /usr/bin/prog, offset 0x401000    above
//! ```
//!
//! A process that lives while it is recorded is asked first (`remapped_text`): its bytes are
//! compared, and what it denies is not judged here. A trace has no bytes, and no record of what was
//! unmapped. So what is found here only says that both sides are of one file, without a gap and at
//! one distance from it; the module is marked as inferred.

use backsight_types::trace::{KERNEL_PID, Mmap, MovedText, ProcessChange, ProcessRecord};
use backsight_types::{AbsAddr, AbsRange, FileOffset, Module, ModuleKind};

use super::piece::Step;
use crate::address_space::{AddressSpace, Mapped};
use crate::load_bias;
use crate::remapped_text::MAX_RUN;
use crate::trace_modules::TraceModules;

/// Returns what follows from a record that was applied: the text that it shows to be that of a file.
pub(super) fn steps(
    record: &ProcessRecord,
    space: &AddressSpace,
    modules: &mut TraceModules,
) -> Vec<Step> {
    let ProcessChange::Mmap(mapping) = &record.change else {
        return Vec::new();
    };
    if record.pid == KERNEL_PID {
        return Vec::new();
    }
    let found = around(space, mapping.range, modules).into_iter();
    found
        .map(|text| Step::Map(modules.mapped(record.pid, &text)))
        .collect()
}

/// Returns the mappings without a file around `changed`, a range that was just mapped, that are
/// text of a file by what is below and above them: as records of that file.
fn around(space: &AddressSpace, changed: AbsRange, modules: &TraceModules) -> Vec<Mmap> {
    let mut found = Vec::new();
    let Some(own) = space.covering(changed.start) else {
        return found;
    };
    match is_code_without_file(own, modules) {
        true => found.extend(run_around(space, own, modules)),
        // Memory for data.
        false if own.module.is_none() => {}
        false => {
            // What is mapped now may be the side that was missing: of a program that moved all of
            // its text, that is what is not executable.
            let below = changed.start.0.checked_sub(1).map(AbsAddr);
            let beside = below.into_iter().chain([changed.end]);
            for mapped in beside.filter_map(|addr| space.covering(addr)) {
                if is_code_without_file(mapped, modules) {
                    found.extend(run_around(space, mapped, modules));
                }
            }
        }
    }
    found
}

/// Returns all mappings in the run of mappings without a file that `one` is in.
fn run_around(space: &AddressSpace, one: &Mapped, modules: &TraceModules) -> Vec<Mmap> {
    let mut run = vec![*one];
    let mut at = *one;
    let below = loop {
        let Some(addr) = at.vma.start.0.checked_sub(1) else {
            return Vec::new();
        };
        match space.covering(AbsAddr(addr)) {
            Some(next) if is_code_without_file(next, modules) => at = *next,
            next => break next,
        }
        run.push(at);
        if run.len() > MAX_RUN {
            return Vec::new();
        }
    };
    at = *one;
    let above = loop {
        match space.covering(at.vma.end) {
            Some(next) if is_code_without_file(next, modules) => at = *next,
            next => break next,
        }
        run.push(at);
        if run.len() > MAX_RUN {
            return Vec::new();
        }
    };
    let (Some(below), Some(above)) = (below, above) else {
        return Vec::new();
    };
    let (Some(file), Some(other)) = (file_of(below, modules), file_of(above, modules)) else {
        return Vec::new();
    };
    let bias = load_bias::distance_of_both(&below.vma, &above.vma);
    let Some(bias) = bias.filter(|_| is_same_file(file, other)) else {
        return Vec::new();
    };
    let as_text = |mapped: &Mapped| {
        let mut name = file.path.clone();
        if file.deleted {
            name.extend_from_slice(b" (deleted)");
        }
        Mmap {
            range: mapped.vma.range(),
            offset: FileOffset(mapped.vma.start.0.wrapping_sub(bias)),
            perms: mapped.vma.perms,
            device: file.device,
            inode: file.inode,
            build_id: file.build_id,
            name,
            moved: MovedText::Moved,
        }
    };
    run.iter().map(as_text).collect()
}

fn is_code_without_file(mapped: &Mapped, modules: &TraceModules) -> bool {
    mapped.vma.is_executable() && is_without_file(mapped, modules)
}

/// Whether a mapping may be text of a file that was moved: also not if its process denied that.
fn is_without_file(mapped: &Mapped, modules: &TraceModules) -> bool {
    if mapped.is_other_code {
        return false;
    }
    match module_of(mapped, modules) {
        None => true,
        // As `perf` calls it.
        Some(module) => {
            let called = module.path.strip_prefix(b"/tmp/perf-");
            let digits = called.and_then(|rest| rest.strip_suffix(b".map"));
            let is_number = digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_digit));
            is_number && module.inode == 0 && module.build_id.is_none()
        }
    }
}

fn file_of<'m>(mapped: &Mapped, modules: &'m TraceModules) -> Option<&'m Module> {
    let module = module_of(mapped, modules)?;
    (module.kind == ModuleKind::File).then_some(module)
}

fn module_of<'m>(mapped: &Mapped, modules: &'m TraceModules) -> Option<&'m Module> {
    let known = modules.as_slice().get(mapped.module?.as_usize())?;
    Some(&known.module)
}

/// Whether two modules are of one file: text that was taken as that of a file may be next to text
/// that is still there.
fn is_same_file(one: &Module, other: &Module) -> bool {
    let identity = |it: &Module| (it.device, it.inode, it.build_id, it.deleted);
    identity(one) == identity(other) && one.path == other.path
}

#[cfg(test)]
mod tests {
    use backsight_types::trace::{CapturedAddrs, Mmap, MovedText, ProcessChange, ProcessRecord};
    use backsight_types::{AbsAddr, AbsRange, FileOffset, Outcome, Perms};

    use super::super::Replay;

    const BASE: u64 = 0x5555_0000_0000;

    fn map(start: u64, end: u64, offset: u64, name: &str) -> ProcessRecord {
        let change = ProcessChange::Mmap(Mmap {
            range: AbsRange {
                start: AbsAddr(BASE + start),
                end: AbsAddr(BASE + end),
            },
            offset: FileOffset(offset),
            perms: Perms::READ | Perms::EXECUTE,
            name: name.into(),
            ..Mmap::default()
        });
        ProcessRecord {
            time_ns: 1,
            pid: 7,
            change,
        }
    }

    /// Returns the path, offset and mark of an address; `None` if it is in no file.
    fn answer(records: &[ProcessRecord], addr: u64) -> Option<(String, u64, bool)> {
        let sample = CapturedAddrs {
            time_ns: 2,
            pid: 7,
            addrs: vec![AbsAddr(BASE + addr)],
        };
        let mut replay = Replay::new();
        let outcomes = replay.feed(records, &[sample]);
        let Outcome::Located {
            module,
            file_offset,
        } = outcomes[0][0]
        else {
            return None;
        };
        let module = &replay.modules()[module.as_usize()].module;
        let path = module.path_lossy().into_owned();
        Some((path, file_offset.0, module.inferred))
    }

    #[test]
    fn memory_between_two_parts_of_a_file_is_its_text_whatever_the_order() {
        let whole = map(0, 0x5000, 0x1000, "/bin/a");
        let below = map(0, 0x1000, 0x1000, "/bin/a");
        let above = map(0x4000, 0x5000, 0x5000, "/bin/a");
        let own = map(0x4000, 0x5000, 0x5000, "/bin/b");
        let moved = map(0x4000, 0x5000, 0x6000, "/bin/a");
        for anon in ["//anon", "/tmp/perf-7.map"] {
            let copy = map(0x1000, 0x4000, BASE + 0x1000, anon);
            let parts = [
                map(0x1000, 0x2000, BASE + 0x1000, anon),
                map(0x2000, 0x4000, BASE + 0x2000, anon),
            ];
            let text = Some(("/bin/a".to_owned(), 0x3010, true));
            // Of a program that moved all of its text.
            let [mut headers, mut rodata] = [below.clone(), above.clone()];
            for record in [&mut headers, &mut rodata] {
                if let ProcessChange::Mmap(mapping) = &mut record.change {
                    mapping.perms = Perms::READ;
                }
            }
            let orders = [
                vec![headers.clone(), copy.clone(), rodata.clone()],
                vec![copy.clone(), rodata.clone(), headers.clone()],
                vec![whole.clone(), copy.clone()],
                vec![below.clone(), copy.clone(), above.clone()],
                vec![above.clone(), copy.clone(), below.clone()],
                vec![copy.clone(), above.clone(), below.clone()],
                vec![
                    below.clone(),
                    parts[0].clone(),
                    parts[1].clone(),
                    above.clone(),
                ],
                vec![whole.clone(), parts[1].clone(), parts[0].clone()],
                vec![whole.clone(), copy.clone(), parts[1].clone()],
            ];
            for records in orders {
                assert_eq!(answer(&records, 0x2010), text, "{records:#?}");
            }
            let mut other_code = copy.clone();
            if let ProcessChange::Mmap(mapping) = &mut other_code.change {
                mapping.moved = MovedText::Denied;
            }
            let others = [
                vec![copy.clone()],
                vec![below.clone(), copy.clone()],
                vec![copy.clone(), above.clone()],
                vec![below.clone(), copy.clone(), own.clone()],
                vec![below.clone(), copy.clone(), moved.clone()],
                vec![whole.clone(), other_code.clone()],
                vec![whole.clone(), copy.clone(), other_code.clone()],
                vec![below.clone(), other_code.clone(), above.clone()],
            ];
            for records in others {
                let got = answer(&records, 0x2010);
                let is_file = got.is_some_and(|(_, _, inferred)| inferred);
                assert!(!is_file, "{records:#?}");
            }
        }
    }
}
