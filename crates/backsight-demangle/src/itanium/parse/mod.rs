//! Reads a mangled name into a tree: one pass, no step back.
//!
//! Every function returns `None` where the name is not of the grammar, and then the
//! whole name is given up: none of them has to undo anything.

mod constraints;
mod cursor;
mod encodings;
mod expressions;
mod literals;
mod names;
mod operators;
mod templates;
mod types;
mod unnamed;
mod unresolved;

use self::cursor::Cursor;
use super::depth::DEPTH;
use super::id::{Id, List};
use super::node::{Node, Quals, RefQual};
use super::tree::Tree;

/// A name that was read.
pub(super) struct Parsed<'a> {
    pub(super) tree: Tree<'a>,
    pub(super) root: Id,
    /// What is left: nothing, or a dot and what a compiler appended.
    pub(super) rest: &'a str,
}

/// Reads `_Z` and what belongs to it.
pub(super) fn mangled_name(name: &str) -> Option<Parsed<'_>> {
    let mut parser = Parser::new(name);
    let root = parser.mangled_name()?;
    let rest = parser.at.rest();
    let is_whole = rest.is_empty() || rest.starts_with('.');
    is_whole.then_some(Parsed {
        tree: parser.tree,
        root,
        rest,
    })
}

/// What is known on the way through a name.
struct Parser<'a> {
    at: Cursor<'a>,
    tree: Tree<'a>,
    /// Parts that `S_`, `S0_`, … name.
    substitutions: Vec<Id>,
    /// What `T_`, `T0_`, … name; outer levels first. Those of an encoding are the
    /// template arguments of its name, those of a lambda its own parameters.
    scopes: Vec<Vec<Id>>,
    /// In an expression that names an entity, what the parameters around it stand for.
    scopes_around: Vec<Vec<Id>>,
    forwards: Vec<Forward<'a>>,
    /// The elements of lists that are being read.
    stack: Vec<Id>,
    depth: u32,
    /// False in the type of a conversion, where arguments belong to the operator.
    may_take_args: bool,
    /// In the type of a conversion operator the arguments come later.
    may_be_forward: bool,
    /// There, parameters are shown as their numbers: not all levels are known.
    in_constraint: bool,
    /// In what is declared of the arguments, which may mean those that come later.
    in_declaration: bool,
    /// The level at which a parameter without declaration is `auto`.
    auto_level: Option<usize>,
    invented: Invented,
}

/// A [`Node::Forward`] that is not resolved yet.
struct Forward<'a> {
    node: Id,
    /// Which argument it means.
    index: usize,
    /// What is shown if there is no such argument; without it the name is broken.
    otherwise: Option<&'a str>,
}

/// How many template parameters got a name of ours.
#[derive(Default)]
struct Invented {
    types: u32,
    values: u32,
    templates: u32,
}

/// What the name of an encoding says of the rest of the encoding.
#[derive(Default)]
struct NameInfo {
    /// A constructor, destructor or conversion: no return type follows.
    is_untyped: bool,
    /// A return type follows.
    ends_with_args: bool,
    quals: Quals,
    ref_qual: RefQual,
    has_explicit_object: bool,
}

impl<'a> Parser<'a> {
    fn new(name: &'a str) -> Self {
        Self {
            at: Cursor::new(name),
            tree: Tree::for_bytes(name.len()),
            substitutions: Vec::with_capacity(16),
            scopes: Vec::new(),
            scopes_around: Vec::new(),
            forwards: Vec::new(),
            stack: Vec::with_capacity(16),
            depth: 0,
            may_take_args: true,
            may_be_forward: false,
            in_constraint: false,
            in_declaration: false,
            auto_level: None,
            invented: Invented::default(),
        }
    }

    fn add(&mut self, node: Node<'a>) -> Option<Id> {
        self.tree.add(node)
    }

    fn text(&mut self, text: &'a str) -> Option<Id> {
        self.add(Node::Text(text))
    }

    fn list_from(&mut self, at: usize) -> Option<List> {
        self.tree.list_from(&mut self.stack, at)
    }

    /// Reads elements until `end` is eaten.
    fn list_until(
        &mut self,
        end: &str,
        mut element: impl FnMut(&mut Self) -> Option<Id>,
    ) -> Option<List> {
        let start = self.stack.len();
        while !self.at.eat(end) {
            let read = element(self)?;
            self.stack.push(read);
        }
        self.list_from(start)
    }

    /// Reads one level deeper.
    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        self.depth = self.depth.saturating_add(1);
        if self.depth > DEPTH {
            return None;
        }
        let result = read(self)?;
        self.depth = self.depth.saturating_sub(1);
        Some(result)
    }

    /// Reads with other template parameters than those around.
    fn apart<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        // Not those around what is around.
        let further = std::mem::take(&mut self.scopes_around);
        let around = std::mem::take(&mut self.scopes);
        let result = read(self)?;
        self.scopes = around;
        self.scopes_around = further;
        Some(result)
    }

    fn template_args_are_for_operator<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<T> {
        let before = std::mem::replace(&mut self.may_take_args, false);
        let result = read(self)?;
        self.may_take_args = before;
        Some(result)
    }

    /// Reads an expression in which all parameters around are in scope.
    fn constraint(&mut self) -> Option<Id> {
        let before = std::mem::replace(&mut self.in_constraint, true);
        let result = self.expression()?;
        self.in_constraint = before;
        Some(result)
    }

    /// Reads `Q` and its constraint, if there is one.
    fn optional_constraint(&mut self) -> Option<Option<Id>> {
        if !self.at.eat("Q") {
            return Some(None);
        }
        self.constraint().map(Some)
    }
}
