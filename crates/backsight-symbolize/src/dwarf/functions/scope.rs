//! The namespaces and classes that functions stand in.
//!
//! A DIE does not say what it stands in; the DIEs before it do. So one walk over a unit
//! notes where each namespace and class begins and ends, when the first function that has
//! a plain name alone asks for it. Most units have no such function.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use backsight_index::engine::{ByteCount, bytes_of};
use gimli::UnitOffset;

use crate::dwarf::die::form::{AttrValue, ValueClass};
use crate::dwarf::die::fuel::Fuel;
use crate::dwarf::die::plan::DieKind;
use crate::dwarf::die::text;
use crate::dwarf::die::values::{DieValues, ValueSlot};
use crate::dwarf::fault::Fault;
use crate::dwarf::files::arena::Arena;
use crate::dwarf::units::unit::Unit;

/// Separates the name of a scope from the names in it.
const SCOPE_SEPARATOR: &[u8] = b"::";

/// The namespaces and classes of one unit, in order.
#[derive(Debug)]
struct NameScopes {
    list: Vec<NameScope>,
    /// They are known as far as the DIE there.
    until: usize,
}

/// A namespace or a class with DIEs in it.
#[derive(Clone, Copy, Debug)]
struct NameScope {
    die: UnitOffset,
    /// Behind its last descendant.
    end: usize,
    /// The scope around it.
    parent: Option<u32>,
}

impl NameScopes {
    /// Walks over the DIEs of the unit, or up to one of them. What precedes a
    /// malformed DIE or a limit is used.
    fn read(unit: &Unit<'_>, until: Option<UnitOffset>) -> Self {
        let mut scopes = Self {
            list: Vec::new(),
            until: until.map_or(usize::MAX, |die| die.0),
        };
        let walked = scopes.walk(unit, &mut unit.fuel());
        if unit.unit_file.damage.sound(walked).is_none() {
            // Where the open ones end is not known.
            scopes.list.retain(|scope| scope.end > 0);
        }
        scopes
    }

    fn walk(&mut self, unit: &Unit<'_>, fuel: &mut Fuel) -> Result<(), Fault> {
        let plans = unit.plans()?;
        if !plans.plans.iter().any(|plan| plan.kind.is_scope()) {
            return Ok(());
        }
        let mut cursor = unit.cursor(unit.header.root_offset())?;
        let mut depth = 0_usize;
        // The scopes around the next DIE, with their depths.
        let mut open: Vec<(usize, u32)> = Vec::new();
        while !cursor.is_empty() && cursor.at() < self.until {
            let die = UnitOffset(cursor.at());
            let code = cursor.uleb()?;
            if code == 0 {
                fuel.spend(1)?;
                depth = depth.saturating_sub(1);
                if open.last().is_some_and(|(at, _)| *at == depth) {
                    self.close(open.pop(), cursor.at());
                }
                if depth == 0 {
                    break;
                }
                continue;
            }
            let plan = plans.get(code).ok_or(Fault::Malformed)?;
            fuel.spend(usize::try_from(plan.cost).unwrap_or(usize::MAX))?;
            if plan.has_children {
                if plan.kind.is_scope() {
                    let at = u32::try_from(self.list.len()).map_err(|_| Fault::Limit)?;
                    let parent = open.last().map(|(_, scope)| *scope);
                    let end = 0;
                    self.list.push(NameScope { die, end, parent });
                    open.push((depth, at));
                }
                depth = depth.saturating_add(1);
            }
            plans.pass(plan, &mut cursor)?;
        }
        // Units may end without the zeros that close what is open, and the DIE that the walk
        // goes up to stands in all of it.
        while let Some(last) = open.pop() {
            self.close(Some(last), cursor.at().saturating_add(1));
        }
        Ok(())
    }

    fn close(&mut self, scope: Option<(usize, u32)>, end: usize) {
        let at = scope.and_then(|(_, scope)| usize::try_from(scope).ok());
        if let Some(scope) = at.and_then(|at| self.list.get_mut(at)) {
            scope.end = end;
        }
    }

    /// Returns the innermost scope around a DIE.
    fn around(&self, die: UnitOffset) -> Option<NameScope> {
        let before = self.list.partition_point(|scope| scope.die.0 < die.0);
        let last = before.checked_sub(1).and_then(|at| self.list.get(at));
        let mut outwards = std::iter::successors(last, |scope| self.outside(scope));
        outwards.find(|scope| die.0 < scope.end).copied()
    }

    fn outside(&self, scope: &NameScope) -> Option<&NameScope> {
        self.list.get(usize::try_from(scope.parent?).ok()?)
    }

    /// Returns the bytes that the table takes.
    fn bytes(&self) -> usize {
        bytes_of(&self.list)
    }
}

/// Texts that are in no file, kept as long as the file.
pub(in crate::dwarf) type TextArena = Arena<Box<[u8]>>;

/// Names with their scopes before them, as far as they were asked for.
#[derive(Debug)]
pub(in crate::dwarf) struct ScopedNames<'d> {
    texts: &'d TextArena,
    known: Mutex<KnownNames<'d>>,
    /// What they take.
    pub(in crate::dwarf) kept: ByteCount,
}

#[derive(Debug, Default)]
struct KnownNames<'d> {
    /// By the file and the place in it of the unit.
    units: HashMap<(usize, usize), Arc<NameScopes>>,
    /// By the file and the place in it of the DIE that has the name.
    dies: HashMap<(usize, usize), Option<ScopedName<'d>>>,
    /// Each once, since an index takes equal bytes at two places for two names.
    texts: HashSet<&'d [u8]>,
}

/// A name with its scopes.
#[derive(Clone, Copy, Debug)]
pub(in crate::dwarf) struct ScopedName<'d> {
    pub(in crate::dwarf) text: &'d [u8],
    /// Bytes before the name itself.
    pub(in crate::dwarf) scopes: u32,
}

/// Bytes that a known name takes beside its text, spare capacity of the tables included.
const BYTES_PER_NAME: usize = 128;

/// Names that are joined before all scopes of a unit are listed: a single lookup reads no
/// more than it needs.
const UNLISTED_NAMES: usize = 8;

/// Fuel per byte of a joined name, so that all of them stay within twice the file's size.
const FUEL_PER_BYTE: usize = 16;

impl<'d> ScopedNames<'d> {
    /// Knows none yet.
    pub(in crate::dwarf) fn new(texts: &'d TextArena) -> Self {
        Self {
            texts,
            known: Mutex::default(),
            kept: ByteCount::default(),
        }
    }

    /// Returns the name of a DIE with its scopes before it; `None` when it stands in none,
    /// when one of them is not known, or when all together are longer than a name may be.
    pub(in crate::dwarf) fn of(
        &self,
        die: UnitOffset,
        name: &[u8],
        unit: &Unit<'d>,
        fuel: &mut Fuel,
    ) -> Option<ScopedName<'d>> {
        let unit_file = Arc::as_ptr(&unit.unit_file).addr();
        let key = (unit_file, unit.offset.saturating_add(die.0));
        let lock = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().dies.get(&key) {
            return *known;
        }
        // Two threads may both get here; the texts are equal.
        let scopes = |die| self.scopes((unit_file, unit.offset), unit, die);
        let text = scoped(die, name, unit, scopes, fuel);
        let mut known = lock();
        let name = text.and_then(|text| {
            let scopes = u32::try_from(text.len().saturating_sub(name.len())).ok()?;
            let text = self.keep(text, &mut known)?;
            Some(ScopedName { text, scopes })
        });
        self.kept.add(BYTES_PER_NAME);
        known.dies.insert(key, name);
        name
    }

    /// Returns the scopes of a unit, those around this DIE at least.
    fn scopes(&self, key: (usize, usize), unit: &Unit<'d>, die: UnitOffset) -> Arc<NameScopes> {
        let lock = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let few = {
            let known = lock();
            if let Some(scopes) = known.units.get(&key) {
                return Arc::clone(scopes);
            }
            known.dies.len() < UNLISTED_NAMES
        };
        if few {
            return Arc::new(NameScopes::read(unit, Some(die)));
        }
        let scopes = Arc::new(NameScopes::read(unit, None));
        self.kept.add(scopes.bytes().saturating_add(BYTES_PER_NAME));
        Arc::clone(lock().units.entry(key).or_insert(scopes))
    }

    fn keep(&self, text: Vec<u8>, known: &mut KnownNames<'d>) -> Option<&'d [u8]> {
        if let Some(text) = known.texts.get(text.as_slice()) {
            return Some(text);
        }
        self.kept.add(text.len().saturating_add(BYTES_PER_NAME));
        let text = &**self.texts.keep(text.into())?;
        known.texts.insert(text);
        Some(text)
    }
}

/// Puts the scopes of a DIE before its name. `scopes_at` returns those around a DIE at
/// least; of two such lists one begins with the other.
fn scoped(
    die: UnitOffset,
    name: &[u8],
    unit: &Unit<'_>,
    scopes_at: impl Fn(UnitOffset) -> Arc<NameScopes>,
    fuel: &mut Fuel,
) -> Option<Vec<u8>> {
    let limits = unit.unit_file.limits;
    let mut scopes = scopes_at(die);
    let mut next = scopes.around(die);
    next?;
    let mut parts = Vec::new();
    let mut length = name.len();
    let mut links = limits.name_links;
    while let Some(scope) = next {
        let (mut at, mut outside) = (scope.die, scopes.outside(&scope).copied());
        let part = loop {
            match read(at, unit, fuel)? {
                Scoping::Named(part) => break part,
                // Its declaration has the name, and stands in the scopes that count.
                Scoping::PartOf(declaration) => {
                    links = links.checked_sub(1)?;
                    at = declaration;
                    if at.0 > scopes.until {
                        scopes = scopes_at(at);
                    }
                    outside = scopes.around(at);
                }
            }
        };
        length = length
            .checked_add(part.len())?
            .checked_add(SCOPE_SEPARATOR.len())?;
        if length > limits.name_bytes {
            return None;
        }
        parts.push(part);
        next = outside;
    }
    fuel.spend(length.saturating_mul(FUEL_PER_BYTE)).ok()?;
    let mut text = Vec::with_capacity(length);
    for part in parts.iter().rev() {
        text.extend_from_slice(part);
        text.extend_from_slice(SCOPE_SEPARATOR);
    }
    text.extend_from_slice(name);
    Some(text)
}

/// What the DIE of a scope says of itself.
enum Scoping<'d> {
    Named(&'d [u8]),
    /// The DIE of its declaration says more.
    PartOf(UnitOffset),
}

/// Returns what the DIE of a scope says; `None` when that cannot be read here.
fn read<'d>(die: UnitOffset, unit: &Unit<'d>, fuel: &mut Fuel) -> Option<Scoping<'d>> {
    let plans = unit.plans().ok()?;
    let mut cursor = unit.cursor(die).ok()?;
    let plan = plans.get(cursor.uleb().ok()?)?;
    fuel.spend(usize::try_from(plan.cost).ok()?).ok()?;
    if !plan.kind.is_scope() {
        return None;
    }
    let mut values = DieValues::NONE;
    plans.read(plan, &mut cursor, &mut values).ok()?;
    let link = values.get(ValueSlot::Specification);
    if link.class == ValueClass::UnitRef {
        let declaration = usize::try_from(link.number).ok()?;
        return Some(Scoping::PartOf(UnitOffset(declaration)));
    }
    let name = values.get(ValueSlot::Name).some();
    let name = match name.map(|name| named(name, unit)) {
        Some(name) => name?,
        // The type has its name in a unit of its own.
        None if values.get(ValueSlot::Origin).some().is_some() => return None,
        // As demanglers write them.
        None => match plan.kind {
            DieKind::Namespace => b"(anonymous namespace)".as_slice(),
            DieKind::Structure => b"(anonymous struct)",
            DieKind::Union => b"(anonymous union)",
            _ => b"(anonymous class)",
        },
    };
    Some(Scoping::Named(name))
}

fn named<'d>(name: AttrValue, unit: &Unit<'d>) -> Option<&'d [u8]> {
    let root = unit.own_root().ok()?;
    text::of(name, root.unit_ref(), unit.unit_file.damage).filter(|name| !name.is_empty())
}
