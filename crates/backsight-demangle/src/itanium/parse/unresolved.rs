//! Names that depend on template parameters.

use super::super::id::Id;
use super::super::node::Node;
use super::ItaniumParser;
use super::operators::operator;

impl ItaniumParser<'_> {
    /// Reads a name that is looked up when the template is instantiated.
    pub(super) fn unresolved_name(&mut self, is_global: bool) -> Option<Id> {
        if self.at.eat("srN") {
            let mut scope = self.unresolved_type_with_args()?;
            while !self.at.eat("E") {
                let right = self.simple_id()?;
                scope = self.add(Node::Joined {
                    left: scope,
                    by: "::",
                    right,
                })?;
            }
            return self.unresolved_in(scope);
        }
        if !self.at.eat("sr") {
            let name = self.base_unresolved_name()?;
            return if is_global {
                self.add(Node::Global(name))
            } else {
                Some(name)
            };
        }
        if !self.at.is_digit() {
            let scope = self.unresolved_type_with_args()?;
            return self.unresolved_in(scope);
        }
        let mut scope = self.simple_id()?;
        if is_global {
            scope = self.add(Node::Global(scope))?;
        }
        while !self.at.eat("E") {
            let right = self.simple_id()?;
            scope = self.add(Node::Joined {
                left: scope,
                by: "::",
                right,
            })?;
            if self.is_last_part() {
                return Some(scope);
            }
        }
        self.unresolved_in(scope)
    }

    /// GCC before 4.5 wrote no `E` after the scopes. An `E` that is next then closes an
    /// enclosing construct, unless a name follows it.
    fn is_last_part(&self) -> bool {
        let mut behind = self.at;
        if !behind.eat("E") {
            return !self.at.is_digit();
        }
        let begins_name = |two: &str| operator(two).is_some() || matches!(two, "on" | "dn" | "li");
        !behind.is_digit() && !behind.rest().get(..2).is_some_and(begins_name)
    }

    fn unresolved_in(&mut self, left: Id) -> Option<Id> {
        let right = self.base_unresolved_name()?;
        self.add(Node::Joined {
            left,
            by: "::",
            right,
        })
    }

    fn unresolved_type_with_args(&mut self) -> Option<Id> {
        let name = self.unresolved_type()?;
        self.with_args(name)
    }

    fn with_args(&mut self, name: Id) -> Option<Id> {
        if self.at.peek() != b'I' {
            return Some(name);
        }
        let args = self.template_args(false)?;
        self.add(Node::Templated { name, args })
    }

    fn unresolved_type(&mut self) -> Option<Id> {
        let found = match self.at.peek() {
            b'T' => self.template_param()?,
            b'D' => self.decltype()?,
            b'N' => return self.ty(),
            b'S' if self.at.peek_at(1) == b't' => return self.ty(),
            _ => return self.substitution(),
        };
        self.substitutions.push(found);
        Some(found)
    }

    fn simple_id(&mut self) -> Option<Id> {
        let name = self.source_name()?;
        let name = self.abi_tags(name)?;
        self.with_args(name)
    }

    fn base_unresolved_name(&mut self) -> Option<Id> {
        if self.at.is_digit() {
            return self.simple_id();
        }
        if self.at.eat("dn") {
            let child = if self.at.is_digit() {
                self.simple_id()?
            } else {
                self.unresolved_type()?
            };
            return self.add(Node::DtorOf(child));
        }
        self.at.eat("on");
        let name = self.operator_name(None)?;
        self.with_args(name)
    }
}
