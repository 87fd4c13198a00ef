//! Unwinding rules by address, from `STACK CFI` lines.

use std::ops::Range;

use super::cfi_rule::{CfiRule, is_register};
use super::lines::Lines;
use super::record::{self, Record};
use super::scan::CfiEntry;

/// The maximum number of registers with rules in one row. The known processors have fewer
/// callee-saved registers.
const MAX_RULES: usize = 64;

/// The unwinding rules of one range of code.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CfiRows {
    /// The rows in ascending order, each up to the next. Rows from the first rule that
    /// cannot be read are left out.
    pub rows: Vec<CfiRow>,
    /// Whether some rules cannot be read.
    pub is_damaged: bool,
}

/// The unwinding rules for the instructions of a range. There is always a rule for `.cfa`
/// (the canonical frame address). There is one for `.ra` (the return address), except for
/// code without a caller: `dump_syms` omits it in `_start`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CfiRow {
    /// The virtual offsets in the module.
    pub range: Range<u64>,
    /// The rules by register name. Registers without a rule keep their value if the
    /// processor's calling convention says so.
    pub rules: Vec<(String, CfiRule)>,
}

/// Reads the rules of an entry; `base` is added to each address.
pub(super) fn read(bytes: &[u8], entry: &CfiEntry, base: u64) -> CfiRows {
    let mut all = CfiRows {
        rows: Vec::new(),
        is_damaged: false,
    };
    all.is_damaged = fill(&mut all.rows, bytes, entry, base).is_none();
    all
}

fn fill(rows: &mut Vec<CfiRow>, bytes: &[u8], entry: &CfiEntry, base: u64) -> Option<()> {
    let mut lines = Lines::from(bytes, usize::try_from(entry.at).ok()?);
    let (_, first) = lines.next()?;
    let Some(Record::CfiInit { start, size, rules }) = record::parse(first) else {
        return None;
    };
    let begin = start.checked_add(base)?;
    let end = begin.checked_add(size.into())?;
    let mut rules = added(Vec::new(), rules)?;
    let has_cfa = rules.iter().any(|(register, _)| register == ".cfa");
    if !has_cfa {
        return None;
    }
    let mut row_begin = begin;
    let mut push = |range: Range<u64>, rules: &[(String, CfiRule)]| {
        if !range.is_empty() {
            let rules = rules.to_vec();
            rows.push(CfiRow { range, rules });
        }
    };
    for (_, line) in lines {
        let (addr, more) = match record::parse(line) {
            Some(Record::Cfi(addr, more)) => (addr.checked_add(base)?, more),
            Some(Record::Empty) => continue,
            // A rule that cannot be read. The scan has counted it; the rules after it are
            // unknown.
            None if line.starts_with(b"STACK CFI ") && !line.starts_with(b"STACK CFI INIT ") => {
                return None;
            }
            _ => break,
        };
        if addr < row_begin || addr > end {
            return None;
        }
        push(row_begin..addr, &rules);
        rules = added(rules, more)?;
        row_begin = addr;
    }
    push(row_begin..end, &rules);
    Some(())
}

/// Adds the rules of a line, which replace earlier rules for the same registers.
fn added(mut rules: Vec<(String, CfiRule)>, line: &[u8]) -> Option<Vec<(String, CfiRule)>> {
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.split_ascii_whitespace().peekable();
    while let Some(first) = words.next() {
        let name = first.strip_suffix(':').filter(|name| is_register(name))?;
        let rule = CfiRule::read(std::iter::from_fn(|| {
            words.next_if(|word| !word.ends_with(':'))
        }))?;
        let has_room = rules.len() < MAX_RULES;
        match rules.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = rule,
            None if has_room => rules.push((name.to_owned(), rule)),
            None => return None,
        }
    }
    Some(rules)
}

#[cfg(test)]
mod tests {
    use super::{CfiRow, CfiRows, CfiRule, read};
    use crate::breakpad::scan::CfiEntry;

    fn rows(text: &str) -> CfiRows {
        let entry = CfiEntry {
            start: 0,
            at: 0,
            size: 0,
        };
        read(text.as_bytes(), &entry, 0x1000)
    }

    fn cfa(row: &CfiRow) -> Option<i64> {
        let found = row.rules.iter().find(|(name, _)| name == ".cfa");
        match &found?.1 {
            CfiRule::Register { offset, .. } => Some(*offset),
            _ => None,
        }
    }

    const INIT: &str = "STACK CFI INIT 10 20 .cfa: $rsp 8 + .ra: .cfa -8 + ^\n";

    #[test]
    fn a_row_ends_where_the_next_begins() {
        let all = rows(&format!(
            "{INIT}STACK CFI 14 .cfa: $rsp 16 + $rbx: .cfa -16 + ^\r\nSTACK CFI 18 .cfa: $rsp 8 +\nFUNC"
        ));
        assert!(!all.is_damaged);
        let shown = all.rows.iter().map(|row| (row.range.clone(), cfa(row)));
        let want = [
            (0x1010..0x1014, Some(8)),
            (0x1014..0x1018, Some(16)),
            (0x1018..0x1030, Some(8)),
        ];
        assert_eq!(shown.collect::<Vec<_>>(), want);
        let last = all.rows.last().unwrap();
        let rbx = last.rules.iter().find(|(name, _)| name == "$rbx");
        assert_eq!(rbx.map(|(_, rule)| rule), Some(&CfiRule::AtCfa(-16)));
    }

    #[test]
    fn rules_end_before_those_that_cannot_be_read() {
        for wrong in [
            "STACK CFI 14 .cfa: +\n",
            "STACK CFI 14 $rbx 8 +\n",
            "STACK CFI 8 .cfa: $rsp 8 +\n",
            "STACK CFI 31 .cfa: $rsp 8 +\n",
            "STACK CFI zz .cfa: $rsp 8 +\n",
        ] {
            let all = rows(&format!("{INIT}STACK CFI 12 .cfa: $rsp 9 +\n{wrong}"));
            assert!(all.is_damaged, "{wrong}");
            assert_eq!(all.rows[0].range, 0x1010..0x1012, "{wrong}");
        }
        let many: String = (0..80).map(|number| format!(" r{number}: 1")).collect();
        let start = rows("STACK CFI INIT 10 20 .cfa: $rsp 8 +\n");
        assert!(!start.is_damaged && start.rows.len() == 1);
        for init in [
            "STACK CFI INIT 10 20 .ra: .cfa ^\n",
            "FUNC 10 20 0 f\n",
            &format!("STACK CFI INIT 10 20 .cfa: $rsp 8 + .ra: .cfa ^{many}\n"),
        ] {
            let all = rows(init);
            assert!(all.is_damaged && all.rows.is_empty(), "{init}");
        }
    }
}
