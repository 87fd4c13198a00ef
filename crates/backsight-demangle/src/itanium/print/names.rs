//! Names, and declarations of template parameters.

use super::super::id::{Id, List};
use super::super::node::{Node, ParamKind, Std};
use super::Printer;

impl<'a> Printer<'_, 'a> {
    pub(super) fn name(&mut self, node: Node<'a>) -> Option<()> {
        match node {
            Node::Prefixed { text, child } => {
                self.put(text)?;
                self.whole(child)
            }
            Node::Suffixed { child, text } => {
                self.left(child)?;
                self.put(text)
            }
            Node::Enclosed { prefix, child, .. } => {
                self.put(prefix)?;
                self.bracketed(child, true)
            }
            Node::Joined { left, by, right } => {
                self.whole(left)?;
                self.put(by)?;
                self.whole(right)
            }
            Node::OfModule { name, module } => {
                self.whole(name)?;
                self.put("@")?;
                self.whole(module)
            }
            Node::Module {
                parent,
                name,
                is_partition,
            } => {
                if let Some(parent) = parent {
                    self.whole(parent)?;
                }
                if is_partition {
                    self.put(":")?;
                } else if parent.is_some() {
                    self.put(".")?;
                }
                self.whole(name)
            }
            Node::Global(name) => {
                self.put("::")?;
                self.whole(name)
            }
            Node::Tagged { name, tag } => {
                self.left(name)?;
                self.put("[abi:")?;
                self.put(tag)?;
                self.put("]")
            }
            Node::Templated { name, args } => {
                self.whole(name)?;
                self.whole(args)
            }
            Node::Args(list) => self.angled(|printer| printer.comma_separated(list)),
            Node::ArgPack(list) => self.comma_separated(list),
            Node::Expansion(child) => self.expansion(child),
            Node::Std { of, is_expanded } => self.std_name(of, is_expanded),
            Node::CtorDtor { class, is_dtor } => {
                if is_dtor {
                    self.put("~")?;
                }
                let name = self.base_name(class)?;
                self.put(name)
            }
            Node::DtorOf(class) => {
                self.put("~")?;
                self.left(class)
            }
            Node::Unnamed { count } => self.quoted("unnamed", count),
            Node::Closure { params, count } => {
                self.quoted("lambda", count)?;
                self.whole(params)
            }
            Node::ClosureParams {
                templates,
                before,
                params,
                after,
            } => self.closure_params(templates, before, params, after),
            Node::Binding(list) => {
                self.open("[")?;
                self.comma_separated(list)?;
                self.close("]")
            }
            Node::EnableIf(list) => {
                self.put(" [enable_if:")?;
                self.comma_separated(list)?;
                self.put("]")
            }
            Node::Invented { kind, index } => self.invented(kind, index),
            Node::Declared { arg } => self.whole(arg),
            // The other kinds are printed elsewhere.
            _ => None,
        }
    }

    fn quoted(&mut self, what: &str, count: &str) -> Option<()> {
        self.put("'")?;
        self.put(what)?;
        self.put(count)?;
        self.put("'")
    }

    fn closure_params(
        &mut self,
        templates: List,
        before: Option<Id>,
        params: List,
        after: Option<Id>,
    ) -> Option<()> {
        if !templates.is_empty() {
            self.angled(|printer| printer.comma_separated(templates))?;
        }
        if before.is_some() {
            self.optional(" requires ", before)?;
            self.put(" ")?;
        }
        self.open("(")?;
        self.comma_separated(params)?;
        self.close(")")?;
        self.optional(" requires ", after)
    }

    fn invented(&mut self, kind: ParamKind, index: u32) -> Option<()> {
        self.put(match kind {
            ParamKind::Type => "$T",
            ParamKind::NonType => "$N",
            ParamKind::Template => "$TT",
        })?;
        match index.checked_sub(1) {
            Some(number) => self.put(&number.to_string()),
            None => Some(()),
        }
    }

    fn std_name(&mut self, of: Std, is_expanded: bool) -> Option<()> {
        self.put("std::")?;
        self.put(std_base_name(of, is_expanded))?;
        match of {
            Std::Istream | Std::Ostream | Std::Iostream if is_expanded => {
                self.put("<char, std::char_traits<char>>")
            }
            Std::String if is_expanded => {
                self.put("<char, std::char_traits<char>, std::allocator<char>>")
            }
            _ => Some(()),
        }
    }

    /// Returns the name that a class's constructors have.
    fn base_name(&mut self, id: Id) -> Option<&'a str> {
        let mut id = id;
        loop {
            id = match self.node(id)? {
                Node::Text(text) => return Some(text),
                Node::Std { of, is_expanded } => return Some(std_base_name(of, is_expanded)),
                Node::Joined { right, .. } => right,
                Node::OfModule { name, .. }
                | Node::Tagged { name, .. }
                | Node::Templated { name, .. }
                | Node::Global(name) => name,
                _ => return Some(""),
            };
        }
    }

    pub(super) fn declaration_left(&mut self, node: Node<'a>) -> Option<()> {
        match node {
            Node::TypeParam {
                constraint: None, ..
            } => self.put("typename "),
            Node::TypeParam {
                constraint: Some(concept),
                ..
            } => {
                self.whole(concept)?;
                self.put(" ")
            }
            Node::NonTypeParam { of, .. } => self.left_and_space(of),
            Node::TemplateParam { params, .. } => {
                self.put("template")?;
                self.angled(|printer| printer.comma_separated(params))?;
                self.put(" typename ")
            }
            Node::PackParam(param) => {
                self.left(param)?;
                self.put("...")
            }
            _ => None,
        }
    }

    pub(super) fn declaration_right(&mut self, node: Node<'a>) -> Option<()> {
        match node {
            Node::TypeParam { name, .. } => self.whole(name),
            Node::NonTypeParam { name, of } => {
                self.whole(name)?;
                self.right(of)
            }
            Node::TemplateParam { name, requires, .. } => {
                self.whole(name)?;
                self.optional(" requires ", requires)
            }
            Node::PackParam(param) => self.right(param),
            _ => None,
        }
    }
}

fn std_base_name(of: Std, is_expanded: bool) -> &'static str {
    match (of, is_expanded) {
        (Std::Allocator, _) => "allocator",
        (Std::BasicString, _) | (Std::String, true) => "basic_string",
        (Std::String, false) => "string",
        (Std::Istream, true) => "basic_istream",
        (Std::Istream, false) => "istream",
        (Std::Ostream, true) => "basic_ostream",
        (Std::Ostream, false) => "ostream",
        (Std::Iostream, true) => "basic_iostream",
        (Std::Iostream, false) => "iostream",
    }
}
