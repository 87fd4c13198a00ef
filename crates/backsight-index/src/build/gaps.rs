//! Names code without debug information by symbols.
//!
//! Assembly, stubs and whole libraries have symbols but no DIEs.

use std::collections::HashMap;

use super::code_offsets::CodeOffsets;
use super::functions::FunctionMerger;
use super::part::UnitPart;
use super::raw_name::RawName;
use super::symbol_list::SymbolList;
use crate::format::{CallNode, NONE, OffsetRow};

/// The range of a symbol, in code offsets.
#[derive(Clone, Copy, Debug)]
struct SymbolSpan {
    begin: u32,
    end: u32,
    /// The number of the symbol.
    symbol: usize,
}

/// Fills the gaps between scopes.
pub(super) fn fill<'d>(
    scopes: &[OffsetRow],
    nodes: &mut Vec<CallNode>,
    functions: &mut FunctionMerger<'d>,
    symbols: &'d dyn SymbolList,
    code: &CodeOffsets,
) -> Vec<OffsetRow> {
    let mut namer = GapFiller {
        nodes,
        functions,
        symbols,
        code,
        known: HashMap::new(),
    };
    fill_from(scopes, &spans(symbols, code), &mut namer, code.size())
}

/// Replaces names of a unit's functions for which symbols have a better one.
pub(super) fn name_functions<'d>(
    part: &mut UnitPart<'d>,
    symbols: &'d dyn SymbolList,
    code: &CodeOffsets,
) {
    for node in &mut part.nodes {
        let row = usize::try_from(node.row.function()).ok();
        let Some(name) = row.and_then(|row| part.functions.get(row)) else {
            continue;
        };
        let is_sure = name.linkage.is_some() || (name.plain.is_some() && !part.mangles);
        if is_sure || node.row.parent().is_some() {
            continue;
        }
        let (plain, line) = (name.bare(), name.line);
        let entry = code.virt_offset(node.row.place());
        let symbol = entry.and_then(|entry| symbols.name_of(entry, plain));
        if let (Some(symbol), Ok(row)) = (symbol, u32::try_from(part.functions.len())) {
            part.functions.push(RawName {
                linkage: Some(symbol),
                line,
                ..RawName::default()
            });
            *node = node.named(row);
        }
    }
}

fn spans(symbols: &dyn SymbolList, code: &CodeOffsets) -> Vec<SymbolSpan> {
    let mut spans = Vec::new();
    symbols.for_each_span(&mut |begin, end, symbol| {
        code.parts(begin, end, |_, begin, end| {
            spans.push(SymbolSpan { begin, end, symbol });
        });
    });
    spans
}

fn linkage_only(name: &[u8]) -> RawName<'_> {
    RawName {
        linkage: Some(name),
        ..RawName::default()
    }
}

/// Creates a root node for each symbol that fills a gap.
struct GapFiller<'n, 'd> {
    nodes: &'n mut Vec<CallNode>,
    functions: &'n mut FunctionMerger<'d>,
    symbols: &'d dyn SymbolList,
    code: &'n CodeOffsets,
    known: HashMap<usize, u32>,
}

impl GapFiller<'_, '_> {
    fn node(&mut self, span: &SymbolSpan) -> u32 {
        if let Some(node) = self.known.get(&span.symbol) {
            return *node;
        }
        let Some(symbol) = self.symbols.symbol(span.symbol) else {
            return NONE;
        };
        let function = self.functions.add(&linkage_only(symbol.name));
        let entry = self.code.offset(symbol.start).unwrap_or(span.begin);
        let size = u32::try_from(symbol.size).unwrap_or(0);
        let node = u32::try_from(self.nodes.len()).unwrap_or(NONE);
        self.nodes.push(CallNode::root(function, entry, size));
        self.known.insert(span.symbol, node);
        node
    }
}

fn fill_from(
    scopes: &[OffsetRow],
    spans: &[SymbolSpan],
    namer: &mut GapFiller<'_, '_>,
    size: u32,
) -> Vec<OffsetRow> {
    let mut filled = Vec::with_capacity(scopes.len().saturating_add(spans.len()));
    let mut spans = spans.iter().peekable();
    let mut fill = |filled: &mut Vec<OffsetRow>, begin: u32, end: u32| {
        let mut at = begin;
        while spans.next_if(|span| span.end <= begin).is_some() {}
        while let Some(span) = spans.peek().filter(|span| span.begin < end) {
            let from = span.begin.max(begin);
            if at < from {
                filled.push(OffsetRow::new(at, NONE));
            }
            filled.push(OffsetRow::new(from, namer.node(span)));
            at = span.end.min(end);
            if span.end > end {
                break;
            }
            spans.next();
        }
        if at < end {
            filled.push(OffsetRow::new(at, NONE));
        }
    };
    // The code before the first scope is a gap, too.
    let first = scopes.first().map_or(size, |scope| scope.start.get());
    fill(&mut filled, 0, first);
    // Scopes between gaps are copied unchanged.
    let mut rest = scopes;
    let mut before = 0;
    while let Some((scope, after)) = rest.get(before..).and_then(<[_]>::split_first) {
        let begin = scope.start.get();
        let end = after.first().map_or(size, |scope| scope.start.get());
        if scope.value.get() != NONE && begin != end {
            before = before.saturating_add(1);
            continue;
        }
        filled.extend_from_slice(rest.get(..before).unwrap_or_default());
        (rest, before) = (after, 0);
        if begin != end {
            fill(&mut filled, begin, end);
        }
    }
    filled.extend_from_slice(rest);
    filled
}
