//! Prints the tree of a name.
//!
//! A C++ type may surround the declared name: `int (*)[3]` consists of `int`, ` (*`, `)` and `
//! [3]`. So a node has a left and a right part.

mod expressions;
mod floats;
mod functions;
mod names;
mod types;

use super::depth::MAX_DEPTH;
use super::id::{Id, List};
use super::node::{Node, Prec};
use super::tree::Tree;

/// The maximum number of nodes printed for each byte of the limit. Empty packs cost steps
/// without producing text.
const MAX_STEPS_PER_BYTE: usize = 8;

/// Returns the text of the tree below `root`, if it has at most `limit` bytes.
pub(super) fn print(tree: &Tree<'_>, root: Id, name_bytes: usize, limit: usize) -> Option<String> {
    let mut printer = Printer {
        tree,
        text: String::with_capacity(name_bytes.saturating_mul(2).min(limit)),
        limit,
        steps: MAX_STEPS_PER_BYTE.saturating_mul(limit),
        depth: 0,
        pack: None,
        brackets: 1,
    };
    printer.whole(root)?;
    Some(printer.text)
}

struct Printer<'t, 'a> {
    tree: &'t Tree<'a>,
    text: String,
    limit: usize,
    /// Nodes that may still be visited.
    steps: usize,
    depth: u32,
    /// The element that packs expand to; `None` until a pack is found.
    pack: Option<Expanded>,
    /// Open brackets since the innermost `<`. If there are none, a `>` would end the template
    /// arguments.
    brackets: u32,
}

#[derive(Clone, Copy)]
struct Expanded {
    index: usize,
    len: usize,
}

/// What the right part of a node may contain.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Has {
    Anything,
    Array,
    Function,
}

impl<'a> Printer<'_, 'a> {
    fn put(&mut self, text: &str) -> Option<()> {
        let len = self.text.len().checked_add(text.len())?;
        if len > self.limit {
            return None;
        }
        self.text.push_str(text);
        Some(())
    }

    fn open(&mut self, bracket: &str) -> Option<()> {
        self.brackets = self.brackets.saturating_add(1);
        self.put(bracket)
    }

    fn close(&mut self, bracket: &str) -> Option<()> {
        self.brackets = self.brackets.saturating_sub(1);
        self.put(bracket)
    }

    /// Prints between `<` and `>`.
    fn angled(&mut self, print: impl FnOnce(&mut Self) -> Option<()>) -> Option<()> {
        let around = std::mem::replace(&mut self.brackets, 0);
        self.put("<")?;
        print(self)?;
        self.put(">")?;
        self.brackets = around;
        Some(())
    }

    fn node(&mut self, id: Id) -> Option<Node<'a>> {
        self.steps = self.steps.checked_sub(1)?;
        self.tree.node(id)
    }

    fn deeper(&mut self, print: impl FnOnce(&mut Self) -> Option<()>) -> Option<()> {
        self.depth = self.depth.saturating_add(1);
        if self.depth > MAX_DEPTH {
            return None;
        }
        print(self)?;
        self.depth = self.depth.saturating_sub(1);
        Some(())
    }

    fn whole(&mut self, id: Id) -> Option<()> {
        self.left(id)?;
        self.right(id)
    }

    fn optional(&mut self, before: &str, id: Option<Id>) -> Option<()> {
        let Some(id) = id else { return Some(()) };
        self.put(before)?;
        self.whole(id)
    }

    /// Prints the part in front of the declared name; for most nodes, that is everything.
    fn left(&mut self, id: Id) -> Option<()> {
        match self.node(id)? {
            Node::Text(text) => self.put(text),
            node => self.deeper(|printer| printer.left_of(node)),
        }
    }

    fn left_of(&mut self, node: Node<'a>) -> Option<()> {
        match node {
            Node::Encoding { returns, name, .. } => self.encoding_left(returns, name),
            Node::Qualified { .. }
            | Node::Vendor { .. }
            | Node::ObjcProtocol { .. }
            | Node::Pointer(_)
            | Node::Reference { .. }
            | Node::MemberPointer { .. }
            | Node::Array { .. }
            | Node::Function { .. }
            | Node::Vector { .. }
            | Node::Pack(_)
            | Node::Forward(_) => self.type_left(node),
            Node::TypeParam { .. }
            | Node::NonTypeParam { .. }
            | Node::TemplateParam { .. }
            | Node::PackParam(_) => self.declaration_left(node),
            Node::Binary { .. }
            | Node::PrefixOp { .. }
            | Node::PostfixOp { .. }
            | Node::Access { .. }
            | Node::Subscript { .. }
            | Node::Conditional { .. }
            | Node::NamedCast { .. }
            | Node::Cast { .. }
            | Node::Call { .. }
            | Node::New { .. }
            | Node::Delete { .. }
            | Node::InitList { .. }
            | Node::Designated { .. }
            | Node::DesignatedRange { .. }
            | Node::Fold { .. }
            | Node::Subobject { .. }
            | Node::StringLiteral(_)
            | Node::Lambda(_)
            | Node::EnumLiteral { .. }
            | Node::Integer { .. }
            | Node::Float { .. }
            | Node::Requires { .. }
            | Node::ExprRequirement { .. }
            | Node::Requirement { .. } => self.expression(node),
            _ => self.name(node),
        }
    }

    /// Prints the part after the declared name.
    fn right(&mut self, id: Id) -> Option<()> {
        match self.node(id)? {
            node @ (Node::Encoding { .. }
            | Node::Qualified { .. }
            | Node::Pointer(_)
            | Node::Reference { .. }
            | Node::MemberPointer { .. }
            | Node::Array { .. }
            | Node::Function { .. }
            | Node::Pack(_)
            | Node::Forward(_)
            | Node::TypeParam { .. }
            | Node::NonTypeParam { .. }
            | Node::TemplateParam { .. }
            | Node::PackParam(_)) => self.deeper(|printer| printer.right_of(node)),
            _ => Some(()),
        }
    }

    fn right_of(&mut self, node: Node<'a>) -> Option<()> {
        match node {
            Node::Encoding { .. } => self.encoding_right(node),
            Node::TypeParam { .. }
            | Node::NonTypeParam { .. }
            | Node::TemplateParam { .. }
            | Node::PackParam(_) => self.declaration_right(node),
            _ => self.type_right(node),
        }
    }

    /// Whether the type is, or points to, a type with a right part of this kind.
    fn has(&mut self, id: Id, what: Has) -> Option<bool> {
        let mut id = id;
        loop {
            id = match self.node(id)? {
                Node::Array { .. } => return Some(what != Has::Function),
                Node::Function { .. } | Node::Encoding { .. } => return Some(what != Has::Array),
                Node::TypeParam { .. }
                | Node::NonTypeParam { .. }
                | Node::TemplateParam { .. }
                | Node::PackParam(_) => return Some(what == Has::Anything),
                Node::Qualified { child, .. } => child,
                Node::Pointer(child)
                | Node::Reference { child, .. }
                | Node::MemberPointer { child, .. }
                    if what == Has::Anything =>
                {
                    child
                }
                Node::Forward(to) => to?,
                Node::Pack(list) => match self.element(list) {
                    Some(element) => element,
                    None => return Some(false),
                },
                _ => return Some(false),
            };
        }
    }

    /// Returns the element that the pack currently expands to.
    fn element(&mut self, list: List) -> Option<Id> {
        let elements = self.tree.list(list);
        let len = elements.len();
        let now = *self.pack.get_or_insert(Expanded { index: 0, len });
        elements.get(now.index).copied()
    }

    /// Prints the nonempty elements, separated by commas.
    fn comma_separated(&mut self, list: List) -> Option<()> {
        let tree = self.tree;
        let mut is_first = true;
        for element in tree.list(list) {
            let before = self.text.len();
            if !is_first {
                self.put(", ")?;
            }
            let start = self.text.len();
            self.operand(*element, Prec::Comma)?;
            if self.text.len() == start {
                self.text.truncate(before);
            } else {
                is_first = false;
            }
        }
        Some(())
    }

    /// Prints the child once for each element of its packs.
    fn expansion(&mut self, child: Id) -> Option<()> {
        let around = self.pack.take();
        let start = self.text.len();
        self.whole(child)?;
        match self.pack {
            None => self.put("...")?,
            Some(Expanded { len: 0, .. }) => self.text.truncate(start),
            Some(Expanded { len, .. }) => {
                for index in 1..len {
                    self.put(", ")?;
                    self.pack = Some(Expanded { index, len });
                    self.whole(child)?;
                }
            }
        }
        self.pack = around;
        Some(())
    }

    /// Prints an expression, in parentheses unless its precedence is higher than `prec`.
    fn operand(&mut self, id: Id, prec: Prec) -> Option<()> {
        let needs_brackets = self.tree.node(id)?.prec() >= prec;
        self.bracketed(id, needs_brackets)
    }

    /// Prints an expression, in parentheses unless its precedence is at least `prec`.
    fn operand_of_same(&mut self, id: Id, prec: Prec) -> Option<()> {
        let needs_brackets = self.tree.node(id)?.prec() > prec;
        self.bracketed(id, needs_brackets)
    }

    fn bracketed(&mut self, id: Id, needs_brackets: bool) -> Option<()> {
        if !needs_brackets {
            return self.whole(id);
        }
        self.open("(")?;
        self.whole(id)?;
        self.close(")")
    }
}
