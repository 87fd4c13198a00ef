//! Functions, data, and what compilers make for them.

use super::super::id::{Id, List};
use super::super::node::Node;
use super::{Forward, NameInfo, Parser};

impl Parser<'_> {
    /// Reads `_Z`, an encoding, and the `_block_invoke` of an Apple block.
    pub(super) fn mangled_name(&mut self) -> Option<Id> {
        let root = self.mangled_name_alone()?;
        self.resolve_forwards(0)?;
        Some(root)
    }

    fn mangled_name_alone(&mut self) -> Option<Id> {
        if self.at.eat("___Z") || self.at.eat("____Z") {
            let child = self.encoding()?;
            self.at.expect("_block_invoke")?;
            let needs_number = self.at.eat("_");
            let is_numbered = !self.at.digits().is_empty();
            if needs_number && !is_numbered {
                return None;
            }
            let text = "invocation function for block in ";
            return self.add(Node::Prefixed { text, child });
        }
        if !self.at.eat("_Z") {
            self.at.expect("__Z")?;
        }
        self.encoding()
    }

    pub(super) fn encoding(&mut self) -> Option<Id> {
        self.deeper(|parser| parser.apart(Self::encoding_alone))
    }

    /// Reads the entity that an expression names. In a template its arguments may be
    /// parameters of what is around it.
    pub(super) fn encoding_in_expression(&mut self) -> Option<Id> {
        self.deeper(|parser| {
            let around = std::mem::take(&mut parser.scopes);
            let further = std::mem::replace(&mut parser.scopes_around, around);
            let result = parser.encoding_alone()?;
            parser.scopes = std::mem::replace(&mut parser.scopes_around, further);
            Some(result)
        })
    }

    fn encoding_alone(&mut self) -> Option<Id> {
        if matches!(self.at.peek(), b'G' | b'T') {
            return self.special_name();
        }
        let mut info = NameInfo::default();
        let first_forward = self.forwards.len();
        let name = self.name(Some(&mut info))?;
        self.resolve_forwards(first_forward)?;
        if self.is_at_end_of_encoding() {
            return Some(name);
        }
        let mut attributes = None;
        if self.at.eat("Ua9enable_ifI") {
            let conditions = self.list_until("E", Self::template_arg)?;
            attributes = Some(self.add(Node::EnableIf(conditions))?);
        }
        let mut returns = None;
        if info.ends_with_args && !info.is_untyped {
            returns = Some(self.ty()?);
        }
        let params = self.params(info.has_explicit_object)?;
        let requires = self.optional_constraint()?;
        self.resolve_forwards(first_forward)?;
        self.add(Node::Encoding {
            returns,
            name,
            params,
            attributes,
            requires,
            quals: info.quals,
            ref_qual: info.ref_qual,
        })
    }

    fn params(&mut self, has_explicit_object: bool) -> Option<List> {
        if self.at.eat("v") {
            return Some(List::default());
        }
        let start = self.stack.len();
        let mut is_object = has_explicit_object;
        loop {
            let mut child = self.ty()?;
            if std::mem::take(&mut is_object) {
                child = self.add(Node::Prefixed {
                    text: "this ",
                    child,
                })?;
            }
            self.stack.push(child);
            if self.is_at_end_of_encoding() || self.at.peek() == b'Q' {
                return self.list_from(start);
            }
        }
    }

    /// Nothing that begins a type can follow an encoding.
    fn is_at_end_of_encoding(&self) -> bool {
        matches!(self.at.peek(), 0 | b'E' | b'.' | b'_')
    }

    /// Looks up the arguments that were not known yet where they were named.
    fn resolve_forwards(&mut self, first: usize) -> Option<()> {
        while self.forwards.len() > first {
            let Forward {
                node,
                index,
                otherwise,
            } = self.forwards.pop()?;
            let known = self.scopes.first().and_then(|scope| scope.get(index));
            let to = match known {
                Some(to) => *to,
                None => self.text(otherwise?)?,
            };
            self.tree.resolve(node, to)?;
        }
        Some(())
    }

    fn special_name(&mut self) -> Option<Id> {
        let of_types = [
            ("TV", "vtable for "),
            ("TT", "VTT for "),
            ("TI", "typeinfo for "),
            ("TS", "typeinfo name for "),
        ];
        for (code, text) in of_types {
            if self.at.eat(code) {
                let child = self.ty()?;
                return self.add(Node::Prefixed { text, child });
            }
        }
        let of_names = [
            ("TW", "thread-local wrapper routine for "),
            ("TH", "thread-local initialization routine for "),
            ("GV", "guard variable for "),
        ];
        for (code, text) in of_names {
            if self.at.eat(code) {
                let child = self.name(None)?;
                return self.add(Node::Prefixed { text, child });
            }
        }
        if self.at.eat("TA") {
            let child = self.template_arg()?;
            let text = "template parameter object for ";
            return self.add(Node::Prefixed { text, child });
        }
        if self.at.eat("TC") {
            let right = self.ty()?;
            self.at.signed()?;
            self.at.expect("_")?;
            let left = self.ty()?;
            let child = self.add(Node::Joined {
                left,
                by: "-in-",
                right,
            })?;
            let text = "construction vtable for ";
            return self.add(Node::Prefixed { text, child });
        }
        if self.at.eat("GR") {
            return self.reference_temporary();
        }
        if self.at.eat("GI") {
            let child = self.module(None)??;
            let text = "initializer for module ";
            return self.add(Node::Prefixed { text, child });
        }
        let of_transactions = [
            ("GTt", "transaction clone for "),
            ("GTn", "non-transaction clone for "),
        ];
        for (code, text) in of_transactions {
            if self.at.eat(code) {
                let child = self.encoding()?;
                return self.add(Node::Prefixed { text, child });
            }
        }
        self.at.expect("T")?;
        self.thunk()
    }

    fn reference_temporary(&mut self) -> Option<Id> {
        let child = self.name(None)?;
        if !self.at.is_at_end() {
            self.at.sequence()?;
        }
        let text = "reference temporary for ";
        self.add(Node::Prefixed { text, child })
    }

    fn thunk(&mut self) -> Option<Id> {
        let text = match self.at.peek() {
            b'c' => {
                self.at.expect("c")?;
                self.call_offset()?;
                self.call_offset()?;
                "covariant return thunk to "
            }
            b'v' => {
                self.call_offset()?;
                "virtual thunk to "
            }
            _ => {
                self.call_offset()?;
                "non-virtual thunk to "
            }
        };
        let child = self.encoding()?;
        self.add(Node::Prefixed { text, child })
    }

    /// Passes over how a thunk finds its object.
    fn call_offset(&mut self) -> Option<()> {
        let is_virtual = self.at.eat("v");
        if !is_virtual {
            self.at.expect("h")?;
        }
        self.at.signed()?;
        self.at.expect("_")?;
        if is_virtual {
            self.at.signed()?;
            self.at.expect("_")?;
        }
        Some(())
    }
}
