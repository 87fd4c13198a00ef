//! Parses a mangled name into a tree, in one pass without backtracking.
//!
//! Every function returns `None` if the name does not follow the grammar. Then the whole name is
//! abandoned, so no function has to undo anything.

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

use self::cursor::NameCursor;
use super::depth::MAX_DEPTH;
use super::id::{Id, List};
use super::node::{Node, Quals, RefQual};
use super::tree::Tree;

/// A parsed name.
pub(super) struct Parsed<'a> {
    pub(super) tree: Tree<'a>,
    pub(super) root: Id,
    /// The rest: nothing, or a dot and a suffix that a compiler appended.
    pub(super) rest: &'a str,
}

/// Parses `_Z` and what follows.
pub(super) fn mangled_name(name: &str) -> Option<Parsed<'_>> {
    let mut parser = ItaniumParser::new(name);
    let root = parser.mangled_name()?;
    let rest = parser.at.rest();
    let is_whole = rest.is_empty() || rest.starts_with('.');
    is_whole.then_some(Parsed {
        tree: parser.tree,
        root,
        rest,
    })
}

/// The state of the parser.
struct ItaniumParser<'a> {
    at: NameCursor<'a>,
    tree: Tree<'a>,
    /// The parts that `S_`, `S0_`, … refer to.
    substitutions: Vec<Id>,
    /// What `T_`, `T0_`, … refer to, outer levels first: the template arguments of an encoding's
    /// name, or the parameters of a lambda.
    scopes: Vec<Vec<Id>>,
    /// In an expression that refers to an entity: the template arguments of the enclosing
    /// levels.
    scopes_around: Vec<Vec<Id>>,
    forwards: Vec<Forward<'a>>,
    /// The elements of lists that are being read.
    stack: Vec<Id>,
    depth: u32,
    /// False in the type of a conversion operator, where arguments belong to the operator.
    may_take_args: bool,
    /// Whether this is the type of a conversion operator, whose template arguments come later.
    may_be_forward: bool,
    /// Whether template parameters are shown by number, because not all levels are known.
    in_constraint: bool,
    /// Whether this is a declaration of a template parameter, which may refer to later
    /// arguments.
    in_declaration: bool,
    /// The level at which an undeclared parameter is `auto`.
    auto_level: Option<usize>,
    invented: Invented,
}

/// A [`Node::Forward`] that is not resolved yet.
struct Forward<'a> {
    node: Id,
    /// The index of the argument.
    index: usize,
    /// What to show if there is no such argument; if `None`, the name is malformed.
    otherwise: Option<&'a str>,
}

/// Counts the template parameters that were given a generated name.
#[derive(Default)]
struct Invented {
    types: u32,
    values: u32,
    templates: u32,
}

/// Properties of an encoding's name that affect the rest of the encoding.
#[derive(Default)]
struct NameInfo {
    /// A constructor, destructor or conversion operator: no return type follows.
    is_untyped: bool,
    /// A return type follows.
    ends_with_args: bool,
    quals: Quals,
    ref_qual: RefQual,
    has_explicit_object: bool,
}

impl<'a> ItaniumParser<'a> {
    fn new(name: &'a str) -> Self {
        Self {
            at: NameCursor::new(name),
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

    /// Reads elements up to and including `end`.
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
        if self.depth > MAX_DEPTH {
            return None;
        }
        let result = read(self)?;
        self.depth = self.depth.saturating_sub(1);
        Some(result)
    }

    /// Reads with template parameters of its own.
    fn apart<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        // The enclosing levels do not apply either.
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

    /// Reads an expression in which all enclosing parameters are in scope.
    fn constraint(&mut self) -> Option<Id> {
        let before = std::mem::replace(&mut self.in_constraint, true);
        let result = self.expression()?;
        self.in_constraint = before;
        Some(result)
    }

    /// Reads `Q` and a constraint, if present.
    fn optional_constraint(&mut self) -> Option<Option<Id>> {
        if !self.at.eat("Q") {
            return Some(None);
        }
        self.constraint().map(Some)
    }
}
