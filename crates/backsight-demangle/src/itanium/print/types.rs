//! Types, each with a left and a right part.

use super::super::id::Id;
use super::super::node::Node;
use super::{Has, Printer};

impl<'a> Printer<'_, 'a> {
    pub(super) fn type_left(&mut self, node: Node<'a>) -> Option<()> {
        match node {
            Node::Qualified { child, quals } => {
                self.left(child)?;
                self.qualifiers(quals)
            }
            Node::Vendor { child, ext, args } => {
                self.whole(child)?;
                self.put(" ")?;
                self.put(ext)?;
                self.optional("", args)
            }
            Node::ObjcProtocol { child, protocol } => {
                self.whole(child)?;
                self.put("<")?;
                self.put(protocol)?;
                self.put(">")
            }
            Node::Pointer(child) => match self.objc_id(child)? {
                Some(protocol) => {
                    self.put("id<")?;
                    self.put(protocol)?;
                    self.put(">")
                }
                None => self.pointer_left(child, "*"),
            },
            Node::Reference { child, is_rvalue } => {
                let (child, is_rvalue) = self.collapsed(child, is_rvalue)?;
                self.pointer_left(child, if is_rvalue { "&&" } else { "&" })
            }
            Node::MemberPointer { class, child } => {
                self.left(child)?;
                let is_bracketed = self.is_bracketed(child)?;
                self.put(if is_bracketed { "(" } else { " " })?;
                self.whole(class)?;
                self.put("::*")
            }
            Node::Array { child, .. } => self.left(child),
            Node::Function { returns, .. } => {
                self.left(returns)?;
                self.put(" ")
            }
            Node::Vector { child, length } => {
                self.whole(child)?;
                self.put(" vector[")?;
                self.optional("", length)?;
                self.put("]")
            }
            Node::Pack(list) => match self.element(list) {
                Some(element) => self.left(element),
                None => Some(()),
            },
            Node::Forward(to) => self.left(to?),
            _ => None,
        }
    }

    pub(super) fn type_right(&mut self, node: Node<'a>) -> Option<()> {
        match node {
            Node::Qualified { child, .. } => self.right(child),
            Node::Pointer(child) => match self.objc_id(child)? {
                Some(_) => Some(()),
                None => self.pointer_right(child),
            },
            Node::Reference { child, is_rvalue } => {
                let (child, _) = self.collapsed(child, is_rvalue)?;
                self.pointer_right(child)
            }
            Node::MemberPointer { child, .. } => self.pointer_right(child),
            Node::Array { child, length } => {
                if !self.text.ends_with(']') {
                    self.put(" ")?;
                }
                self.put("[")?;
                self.optional("", length)?;
                self.put("]")?;
                self.right(child)
            }
            Node::Function {
                returns,
                params,
                quals,
                ref_qual,
                exceptions,
            } => {
                self.open("(")?;
                self.comma_separated(params)?;
                self.close(")")?;
                self.right(returns)?;
                self.qualifiers(quals)?;
                self.ref_qualifier(ref_qual)?;
                self.optional(" ", exceptions)
            }
            Node::Pack(list) => match self.element(list) {
                Some(element) => self.right(element),
                None => Some(()),
            },
            Node::Forward(to) => self.right(to?),
            _ => None,
        }
    }

    fn pointer_left(&mut self, child: Id, sign: &str) -> Option<()> {
        self.left(child)?;
        let is_array = self.has(child, Has::Array)?;
        if is_array {
            self.put(" ")?;
        }
        if is_array || self.has(child, Has::Function)? {
            self.put("(")?;
        }
        self.put(sign)
    }

    fn pointer_right(&mut self, child: Id) -> Option<()> {
        if self.is_bracketed(child)? {
            self.put(")")?;
        }
        self.right(child)
    }

    /// Whether a pointer needs parentheses, because it points to an array or a function.
    fn is_bracketed(&mut self, child: Id) -> Option<bool> {
        Some(self.has(child, Has::Array)? || self.has(child, Has::Function)?)
    }

    /// Collapses a reference to a reference: an rvalue reference only if both are.
    fn collapsed(&mut self, child: Id, is_rvalue: bool) -> Option<(Id, bool)> {
        let (mut child, mut is_rvalue) = (child, is_rvalue);
        let mut at = child;
        loop {
            at = match self.node(at)? {
                Node::Reference {
                    child: inner,
                    is_rvalue: inner_is_rvalue,
                } => {
                    is_rvalue &= inner_is_rvalue;
                    child = inner;
                    inner
                }
                Node::Forward(to) => to?,
                Node::Pack(list) => match self.element(list) {
                    Some(element) => element,
                    None => return Some((child, is_rvalue)),
                },
                _ => return Some((child, is_rvalue)),
            };
        }
    }

    /// Returns the protocol of an Objective-C object, a pointer to which is shown as `id`.
    #[expect(
        clippy::option_option,
        reason = "the outer `None` means that a limit is reached"
    )]
    fn objc_id(&mut self, child: Id) -> Option<Option<&'a str>> {
        let Node::ObjcProtocol {
            child: object,
            protocol,
        } = self.node(child)?
        else {
            return Some(None);
        };
        let is_object = matches!(self.node(object)?, Node::Text("objc_object"));
        Some(is_object.then_some(protocol))
    }
}
