//! Template parameters, their declarations, and arguments.

use super::super::id::Id;
use super::super::node::{Node, ParamKind};
use super::{Forward, ItaniumParser};

impl<'a> ItaniumParser<'a> {
    /// Reads `I…E`. The arguments of an encoding's name are what its parameters refer to.
    pub(super) fn template_args(&mut self, are_of_encoding: bool) -> Option<Id> {
        self.at.expect("I")?;
        if are_of_encoding {
            self.scopes.clear();
            self.scopes.push(Vec::new());
        }
        let start = self.stack.len();
        while !self.at.eat("E") {
            let arg = self.template_arg()?;
            self.stack.push(arg);
            if are_of_encoding {
                let meant = self.as_parameter(arg)?;
                self.scopes.first_mut()?.push(meant);
            }
            if self.at.eat("Q") {
                // It is not shown, but later parts of the name may refer to the names in it.
                self.declaration(Self::expression)?;
                self.at.expect("E")?;
                break;
            }
        }
        let args = self.list_from(start)?;
        self.add(Node::Args(args))
    }

    fn declaration(&mut self, read: impl FnOnce(&mut Self) -> Option<Id>) -> Option<()> {
        let around = std::mem::replace(&mut self.in_declaration, true);
        read(self)?;
        self.in_declaration = around;
        Some(())
    }

    fn as_parameter(&mut self, arg: Id) -> Option<Id> {
        let shown = match self.tree.node(arg)? {
            Node::Declared { arg } => arg,
            _ => arg,
        };
        match self.tree.node(shown)? {
            Node::ArgPack(list) => self.add(Node::Pack(list)),
            _ => Some(shown),
        }
    }

    pub(super) fn template_arg(&mut self) -> Option<Id> {
        self.deeper(Self::template_arg_alone)
    }

    fn template_arg_alone(&mut self) -> Option<Id> {
        match self.at.peek() {
            b'X' => {
                self.at.expect("X")?;
                let arg = self.expression()?;
                self.at.expect("E")?;
                Some(arg)
            }
            // GCC 4 wrote `I` for a pack.
            b'J' | b'I' => {
                self.at.take(1)?;
                let args = self.list_until("E", Self::template_arg)?;
                self.add(Node::ArgPack(args))
            }
            b'L' if self.at.eat("LZ") => {
                let arg = self.encoding_in_expression()?;
                self.at.expect("E")?;
                Some(arg)
            }
            b'L' => self.literal(),
            b'T' if self.is_template_param_decl() => {
                self.declaration(|parser| parser.template_param_decl(false))?;
                let arg = self.template_arg()?;
                self.add(Node::Declared { arg })
            }
            _ => self.ty(),
        }
    }

    pub(super) fn is_template_param_decl(&self) -> bool {
        self.at.peek() == b'T' && matches!(self.at.peek_at(1), b'y' | b'p' | b't' | b'n' | b'k')
    }

    /// Reads the declaration of a parameter. Adds it to the innermost level if later parts may
    /// refer to it.
    pub(super) fn template_param_decl(&mut self, is_in_scope: bool) -> Option<Id> {
        self.deeper(|parser| parser.template_param_decl_alone(is_in_scope))
    }

    fn template_param_decl_alone(&mut self, is_in_scope: bool) -> Option<Id> {
        if self.at.eat("Ty") {
            let name = self.invent(ParamKind::Type, is_in_scope)?;
            return self.add(Node::TypeParam {
                constraint: None,
                name,
            });
        }
        if self.at.eat("Tk") {
            let constraint = Some(self.concept()?);
            let name = self.invent(ParamKind::Type, is_in_scope)?;
            return self.add(Node::TypeParam { constraint, name });
        }
        if self.at.eat("Tn") {
            let name = self.invent(ParamKind::NonType, is_in_scope)?;
            let of = self.ty()?;
            return self.add(Node::NonTypeParam { name, of });
        }
        if self.at.eat("Tp") {
            let param = self.template_param_decl(is_in_scope)?;
            return self.add(Node::PackParam(param));
        }
        self.at.expect("Tt")?;
        let name = self.invent(ParamKind::Template, is_in_scope)?;
        let level = self.scopes.len();
        self.scopes.push(Vec::new());
        let start = self.stack.len();
        let mut requires = None;
        while !self.at.eat("E") {
            let param = self.template_param_decl(true)?;
            self.stack.push(param);
            requires = self.optional_constraint()?;
            if requires.is_some() {
                self.at.expect("E")?;
                break;
            }
        }
        let params = self.list_from(start)?;
        self.scopes.truncate(level);
        self.add(Node::TemplateParam {
            name,
            params,
            requires,
        })
    }

    /// Reads the name of a concept, with its arguments. A substitution here is a concept, not a
    /// type.
    pub(super) fn concept(&mut self) -> Option<Id> {
        if self.at.peek() == b'S' && self.at.peek_at(1) != b't' {
            let (name, is_substitution) = self.unscoped_name(None, true)?;
            if !is_substitution {
                return Some(name);
            }
            if self.at.peek() != b'I' {
                return Some(name);
            }
            let args = self.template_args(false)?;
            return self.add(Node::Templated { name, args });
        }
        self.name(None)
    }

    fn invent(&mut self, kind: ParamKind, is_in_scope: bool) -> Option<Id> {
        let count = match kind {
            ParamKind::Type => &mut self.invented.types,
            ParamKind::NonType => &mut self.invented.values,
            ParamKind::Template => &mut self.invented.templates,
        };
        let index = *count;
        *count = count.checked_add(1)?;
        let name = self.add(Node::Invented { kind, index })?;
        if is_in_scope {
            self.scopes.last_mut()?.push(name);
        }
        Some(name)
    }

    /// Reads `T_`, `T0_`, `TL0__`, … and returns what it refers to.
    pub(super) fn template_param(&mut self) -> Option<Id> {
        let start = self.at.rest();
        self.at.expect("T")?;
        let mut level = 0;
        if self.at.eat("L") {
            level = self.at.number()?.checked_add(1)?;
            self.at.expect("_")?;
        }
        let index = self.at.parameter()?;
        let bytes = start.len().checked_sub(self.at.rest().len())?;
        let shown = start.get(..bytes.checked_sub(1)?)?;
        if self.in_constraint {
            return self.text(shown);
        }
        if self.may_be_forward && level == 0 {
            return self.forward(index, None);
        }
        if let Some(meant) = self.scopes.get(level).and_then(|scope| scope.get(index)) {
            return Some(*meant);
        }
        if self.auto_level == Some(level) && level <= self.scopes.len() {
            if level == self.scopes.len() {
                // Removed at the end of the lambda.
                self.scopes.push(Vec::new());
            }
            return self.text("auto");
        }
        if let Some(meant) = self
            .scopes_around
            .get(level)
            .and_then(|scope| scope.get(index))
        {
            return Some(*meant);
        }
        if self.in_declaration {
            return if level == 0 {
                self.forward(index, Some(shown))
            } else {
                self.text(shown)
            };
        }
        None
    }

    fn forward(&mut self, index: usize, otherwise: Option<&'a str>) -> Option<Id> {
        let node = self.add(Node::Forward(None))?;
        self.forwards.push(Forward {
            node,
            index,
            otherwise,
        });
        Some(node)
    }
}
