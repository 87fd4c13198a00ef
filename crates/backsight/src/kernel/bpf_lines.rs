//! The lines of the BPF programs that are loaded.

use std::sync::OnceLock;

use backsight_bpf::loaded_programs;
use backsight_symbolize::{BpfLines, BpfSource};
use backsight_types::AbsAddr;

use super::shortfall::{KernelShortfall, Shortfalls};

/// The lines of the programs that were loaded when the first was asked for.
#[derive(Debug, Default)]
pub(super) struct LoadedBpfLines(OnceLock<BpfLines>);

impl LoadedBpfLines {
    /// Returns the source of an address in the function of this name, if that is one of a BPF
    /// program.
    pub(super) fn at(
        &self,
        name: &str,
        start: AbsAddr,
        addr: AbsAddr,
        shortfalls: &Shortfalls,
    ) -> Option<BpfSource<'_>> {
        if !BpfLines::is_name_of_program(name) {
            return None;
        }
        let lines = self.0.get_or_init(|| match loaded_programs() {
            Ok(loaded) => {
                if loaded.hidden > 0 {
                    let programs = loaded.hidden;
                    shortfalls.note(KernelShortfall::HiddenBpfPrograms { programs });
                }
                BpfLines::new(&loaded.programs, &loaded.btf)
            }
            Err(error) => {
                let cause = error.to_string();
                shortfalls.note(KernelShortfall::NoBpfLines { cause });
                BpfLines::default()
            }
        });
        lines.at(name, start, addr)
    }
}
