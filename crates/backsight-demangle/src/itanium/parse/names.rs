//! Names of functions, variables and types.

use super::super::id::Id;
use super::super::node::{Node, RefQual};
use super::{ItaniumParser, NameInfo};

impl<'a> ItaniumParser<'a> {
    /// Reads a name, and stores in `info` its properties as the name of an encoding.
    pub(super) fn name(&mut self, info: Option<&mut NameInfo>) -> Option<Id> {
        self.deeper(|parser| match parser.at.peek() {
            b'N' => parser.nested_name(info),
            b'Z' => parser.local_name(info),
            _ => parser.unscoped_template_name(info),
        })
    }

    fn unscoped_template_name(&mut self, mut info: Option<&mut NameInfo>) -> Option<Id> {
        let (name, is_substitution) = self.unscoped_name(info.as_deref_mut(), true)?;
        if self.at.peek() != b'I' {
            // A substitution without template arguments would be a type.
            return (!is_substitution).then_some(name);
        }
        if !is_substitution {
            self.substitutions.push(name);
        }
        let args = self.template_args(info.is_some())?;
        if let Some(info) = info {
            info.ends_with_args = true;
        }
        self.add(Node::Templated { name, args })
    }

    /// Reads a name without scope or in `std`, or a substitution, and returns whether it was a
    /// substitution.
    pub(super) fn unscoped_name(
        &mut self,
        info: Option<&mut NameInfo>,
        may_be_substitution: bool,
    ) -> Option<(Id, bool)> {
        let mut scope = None;
        if self.at.eat("St") {
            scope = Some(self.text("std")?);
        }
        let mut module = None;
        if self.at.peek() == b'S' {
            let found = self.substitution()?;
            match self.tree.node(found)? {
                Node::Module { .. } => module = Some(found),
                _ if may_be_substitution && scope.is_none() => return Some((found, true)),
                _ => return None,
            }
        }
        let name = self.unqualified_name(info, scope, module)?;
        Some((name, false))
    }

    fn local_name(&mut self, info: Option<&mut NameInfo>) -> Option<Id> {
        self.at.expect("Z")?;
        let left = self.encoding()?;
        self.at.expect("E")?;
        if self.at.eat("s") {
            self.at.discriminator();
            let right = self.text("string literal")?;
            return self.add(Node::Joined {
                left,
                by: "::",
                right,
            });
        }
        let is_default_argument = self.at.eat("d");
        if is_default_argument {
            self.at.signed();
            self.at.expect("_")?;
        }
        let right = if info.is_some() {
            // The parameters of the enclosing function are part of its name.
            self.scopes.clear();
            self.name(info)?
        } else {
            self.apart(|parser| parser.name(None))?
        };
        if !is_default_argument {
            self.at.discriminator();
        }
        self.add(Node::Joined {
            left,
            by: "::",
            right,
        })
    }

    fn nested_name(&mut self, mut info: Option<&mut NameInfo>) -> Option<Id> {
        self.at.expect("N")?;
        self.nested_name_qualifiers(info.as_deref_mut());
        let mut so_far: Option<Id> = None;
        while !self.at.eat("E") {
            if let Some(info) = info.as_deref_mut() {
                info.ends_with_args = false;
            }
            let next = match (self.at.peek(), self.at.peek_at(1), so_far) {
                (b'T', _, None) => self.template_param()?,
                (b'I', _, Some(name)) => {
                    if matches!(self.tree.node(name)?, Node::Templated { .. }) {
                        return None;
                    }
                    let args = self.template_args(info.is_some())?;
                    if let Some(info) = info.as_deref_mut() {
                        info.ends_with_args = true;
                    }
                    self.add(Node::Templated { name, args })?
                }
                (b'D', b't' | b'T', None) => self.decltype()?,
                (b'T' | b'I', ..) => return None,
                (b'S', second, _) => {
                    let found = if second == b't' {
                        self.at.expect("St")?;
                        self.text("std")?
                    } else {
                        self.substitution()?
                    };
                    if matches!(self.tree.node(found)?, Node::Module { .. }) {
                        self.unqualified_name(info.as_deref_mut(), so_far, Some(found))?
                    } else if so_far.is_none() {
                        so_far = Some(found);
                        continue;
                    } else {
                        return None;
                    }
                }
                _ => self.unqualified_name(info.as_deref_mut(), so_far, None)?,
            };
            so_far = Some(next);
            self.substitutions.push(next);
            // Marks the initializer of a data member; not shown.
            self.at.eat("M");
        }
        // The whole name may be a type, which is added to the substitutions by the caller.
        self.substitutions.pop()?;
        so_far
    }

    fn nested_name_qualifiers(&mut self, info: Option<&mut NameInfo>) {
        let mut ours = NameInfo::default();
        let info = info.unwrap_or(&mut ours);
        if self.at.eat("H") {
            info.has_explicit_object = true;
            return;
        }
        info.quals = self.at.qualifiers();
        info.ref_qual = if self.at.eat("O") {
            RefQual::RValue
        } else if self.at.eat("R") {
            RefQual::LValue
        } else {
            RefQual::None
        };
    }

    /// Reads a name in `scope`, and its ABI tags.
    pub(super) fn unqualified_name(
        &mut self,
        info: Option<&mut NameInfo>,
        mut scope: Option<Id>,
        module: Option<Id>,
    ) -> Option<Id> {
        let module = self.module(module)?;
        let is_friend = scope.is_some() && self.at.eat("F");
        // A marker for internal linkage.
        self.at.eat("L");
        let mut name = match self.at.peek() {
            b'1'..=b'9' => self.source_name()?,
            b'U' => self.unnamed_type(info)?,
            b'D' if self.at.eat("DC") => {
                let bindings = self.list_until("E", Self::source_name)?;
                self.add(Node::Binding(bindings))?
            }
            b'C' | b'D' => {
                if module.is_some() {
                    return None;
                }
                let class = self.expanded(scope?)?;
                scope = Some(class);
                self.ctor_dtor(info, class)?
            }
            _ => self.operator_name(info)?,
        };
        if let Some(module) = module {
            name = self.add(Node::OfModule { name, module })?;
        }
        name = self.abi_tags(name)?;
        let Some(left) = scope else {
            return Some(name);
        };
        let by = if is_friend { "::friend " } else { "::" };
        self.add(Node::Joined {
            left,
            by,
            right: name,
        })
    }

    /// Reads the module of a name; returns `parent` if there is none.
    #[expect(
        clippy::option_option,
        reason = "the outer `None` means that the name is malformed"
    )]
    pub(super) fn module(&mut self, parent: Option<Id>) -> Option<Option<Id>> {
        let mut module = parent;
        while self.at.eat("W") {
            let is_partition = self.at.eat("P");
            let name = self.source_name()?;
            let found = self.add(Node::Module {
                parent: module,
                name,
                is_partition,
            })?;
            self.substitutions.push(found);
            module = Some(found);
        }
        Some(module)
    }

    pub(super) fn source_name(&mut self) -> Option<Id> {
        let name = self.at.identifier()?;
        // An anonymous namespace: GCC appends a unique suffix, clang `N_1`.
        let is_anonymous = name.starts_with("_GLOBAL__N");
        self.text(if is_anonymous {
            "(anonymous namespace)"
        } else {
            name
        })
    }

    pub(super) fn abi_tags(&mut self, name: Id) -> Option<Id> {
        let mut name = name;
        while self.at.eat("B") {
            let tag = self.at.identifier()?;
            name = self.add(Node::Tagged { name, tag })?;
        }
        Some(name)
    }

    /// The constructor of `std::string` is named `basic_string`, so the class is shown expanded.
    fn expanded(&mut self, class: Id) -> Option<Id> {
        match self.tree.node(class)? {
            Node::Std { of, .. } => self.add(Node::Std {
                of,
                is_expanded: true,
            }),
            _ => Some(class),
        }
    }

    fn ctor_dtor(&mut self, mut info: Option<&mut NameInfo>, class: Id) -> Option<Id> {
        let is_dtor = self.at.eat("D");
        let mut is_inherited = false;
        if !is_dtor {
            self.at.expect("C")?;
            is_inherited = self.at.eat("I");
        }
        // Complete, base, allocating, deleting, unified.
        let kind = self.at.take(1)?;
        let kinds = if is_dtor { "01245" } else { "12345" };
        if !kinds.contains(kind) {
            return None;
        }
        if let Some(info) = info.as_deref_mut() {
            info.is_untyped = true;
        }
        if is_inherited {
            // The class whose constructor is inherited; not shown.
            self.name(info)?;
        }
        self.add(Node::CtorDtor { class, is_dtor })
    }

    /// Reads `S_`, `S1_`, `Sa`, …, but not `St`.
    pub(super) fn substitution(&mut self) -> Option<Id> {
        use super::super::node::Std;
        self.at.expect("S")?;
        let of = match self.at.peek() {
            b'a' => Std::Allocator,
            b'b' => Std::BasicString,
            b's' => Std::String,
            b'i' => Std::Istream,
            b'o' => Std::Ostream,
            b'd' => Std::Iostream,
            _ => {
                let index = self.at.sequence()?;
                return self.substitutions.get(index).copied();
            }
        };
        self.at.take(1)?;
        let plain = self.add(Node::Std {
            of,
            is_expanded: false,
        })?;
        let tagged = self.abi_tags(plain)?;
        if tagged != plain {
            self.substitutions.push(tagged);
        }
        Some(tagged)
    }
}
