//! The stacks of a profile as a tree of function names.

use std::borrow::Cow;
use std::collections::HashMap;

use backsight_profile::{Location, Profile, ProfileFrame, StackIdx, StrIdx, Strings};
use backsight_types::AddrKind;

use super::options::Options;
use crate::perf_map::JitName;
use crate::place_name::{base_name, place_name};

/// The index of a node.
pub(super) type NodeIdx = usize;

/// A tree in which each name is a child of its caller's. Stacks with the same names share a node.
#[derive(Debug, Default)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    places: HashMap<(Option<NodeIdx>, StrIdx), NodeIdx>,
    /// The names of all nodes.
    pub(super) names: Strings,
    /// The names of each location that was used, innermost first.
    of_locations: HashMap<u32, Vec<Name>>,
    options: Options,
}

/// The name of a frame.
#[derive(Clone, Copy, Debug)]
struct Name {
    text: StrIdx,
    /// Whether it is that of a module, which neighbours share.
    is_shared: bool,
}

#[derive(Debug)]
struct Node {
    name: StrIdx,
    children: Vec<NodeIdx>,
    /// The sum of the values of the stacks that end here.
    value: i64,
}

impl Tree {
    pub(super) fn new(options: Options) -> Self {
        Self {
            options,
            ..Self::default()
        }
    }

    /// Returns the node of a name that is called by `caller`, and adds it if it is new.
    pub(super) fn call(&mut self, caller: Option<NodeIdx>, name: StrIdx) -> NodeIdx {
        if let Some(known) = self.places.get(&(caller, name)) {
            return *known;
        }
        let at = self.nodes.len();
        self.nodes.push(Node {
            name,
            children: Vec::new(),
            value: 0,
        });
        if let Some(caller) = caller.and_then(|at| self.nodes.get_mut(at)) {
            caller.children.push(at);
        }
        self.places.insert((caller, name), at);
        at
    }

    /// Returns the node of a stack below a root. `known` caches the nodes of stacks below that
    /// root.
    pub(super) fn stack(
        &mut self,
        profile: &Profile,
        root: Option<NodeIdx>,
        stack: Option<StackIdx>,
        known: &mut HashMap<StackIdx, NodeIdx>,
    ) -> Option<NodeIdx> {
        // Follow the callers up to a known stack, and then add the nodes below it.
        let mut new = Vec::new();
        let mut at = stack;
        let mut node = loop {
            let Some(here) = at else { break root };
            if let Some(node) = known.get(&here) {
                break Some(*node);
            }
            let Some((location, caller)) = profile.stacks.get(here) else {
                break root;
            };
            new.push((here, location));
            at = caller;
        };
        for (here, location) in new.into_iter().rev() {
            for name in self.names_of(profile, location.0).into_iter().rev() {
                let is_same = |at: NodeIdx| self.nodes.get(at).map(|it| it.name) == Some(name.text);
                node = match node.filter(|at| name.is_shared && is_same(*at)) {
                    Some(same) => Some(same),
                    None => Some(self.call(node, name.text)),
                };
            }
            if let Some(node) = node {
                known.insert(here, node);
            }
        }
        node
    }

    fn names_of(&mut self, profile: &Profile, location: u32) -> Vec<Name> {
        if let Some(names) = self.of_locations.get(&location) {
            return names.clone();
        }
        let index = backsight_profile::LocationIdx(location);
        let nowhere = Location::default();
        let place = profile.location(index).unwrap_or(&nowhere);
        let mut names = Vec::new();
        for frame in profile.frames_of(place) {
            let text = |at: Option<StrIdx>| profile.strings.get(at?);
            let linkage_name = text(frame.linkage_name);
            // There is no other place for the file and line that a runtime wrote into a name.
            let placed = linkage_name.filter(|name| JitName::of(name).file.is_some());
            let named = [placed, text(frame.function), linkage_name];
            let mut named = named.into_iter().flatten();
            names.push(match named.find(|name| !name.is_empty()) {
                Some(name) => Name {
                    text: self.names.intern(&self.annotated(name, place, frame)),
                    is_shared: false,
                },
                None => self.nameless(profile, place),
            });
        }
        if names.is_empty() {
            names.push(self.nameless(profile, place));
        }
        self.of_locations.insert(location, names.clone());
        names
    }

    fn nameless(&mut self, profile: &Profile, place: &Location) -> Name {
        let module = place.module.filter(|_| self.options.modules_alone);
        let module = module.and_then(|module| profile.module(module));
        let name = module.map(base_name).filter(|name| !name.is_empty());
        let text = match &name {
            Some(name) => self.names.intern(&format!("[{name}]")),
            None => self.names.intern(&place_name(profile, place)),
        };
        Name {
            text,
            is_shared: name.is_some(),
        }
    }

    /// Returns a name with what code it is of, if that is asked for.
    fn annotated<'n>(&self, name: &'n str, place: &Location, frame: &ProfileFrame) -> Cow<'n, str> {
        let mark = match place.kind {
            _ if !self.options.annotated => return name.into(),
            _ if frame.inlined => "_[i]",
            Some(AddrKind::Kernel) => "_[k]",
            Some(AddrKind::Anonymous) => "_[j]",
            _ => return name.into(),
        };
        [name, mark].concat().into()
    }

    /// Adds the value of a stack that ends at a node.
    pub(super) fn add(&mut self, node: NodeIdx, value: i64) {
        if let Some(node) = self.nodes.get_mut(node) {
            node.value = node.value.saturating_add(value);
        }
    }

    /// Calls `each` with the depth, name and value of each node; callers come first, and siblings
    /// are sorted by name.
    pub(super) fn walk<E>(
        &self,
        mut each: impl FnMut(usize, &str, i64) -> Result<(), E>,
    ) -> Result<(), E> {
        let name = |at: &NodeIdx| {
            let node = self.nodes.get(*at);
            node.and_then(|node| self.names.get(node.name))
        };
        let by_name = |mut all: Vec<NodeIdx>| {
            // In reverse, because the last element is popped first.
            all.sort_by(|a, b| name(b).cmp(&name(a)));
            all
        };
        let roots = self
            .places
            .iter()
            .filter(|((caller, _), _)| caller.is_none());
        let roots = by_name(roots.map(|(_, at)| *at).collect());
        let mut open: Vec<(usize, NodeIdx)> = roots.into_iter().map(|at| (0, at)).collect();
        while let Some((depth, at)) = open.pop() {
            let Some(node) = self.nodes.get(at) else {
                continue;
            };
            each(depth, name(&at).unwrap_or_default(), node.value)?;
            let below = by_name(node.children.clone());
            let deeper = depth.saturating_add(1);
            open.extend(below.into_iter().map(|at| (deeper, at)));
        }
        Ok(())
    }
}
