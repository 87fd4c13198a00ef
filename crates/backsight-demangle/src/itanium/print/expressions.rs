//! Expressions.

use super::super::id::{Id, List};
use super::super::node::{Node, Prec};
use super::{Printer, floats};

impl Node<'_> {
    /// Returns the precedence of the node as an expression.
    pub(super) fn prec(&self) -> Prec {
        match self {
            Self::Enclosed { prec, .. }
            | Self::Binary { prec, .. }
            | Self::PrefixOp { prec, .. }
            | Self::PostfixOp { prec, .. }
            | Self::Access { prec, .. } => *prec,
            Self::Subscript { .. } | Self::Call { .. } | Self::NamedCast { .. } => Prec::Postfix,
            Self::New { .. } | Self::Delete { .. } => Prec::Unary,
            Self::Cast { .. } => Prec::Cast,
            Self::Conditional { .. } => Prec::Conditional,
            _ => Prec::Primary,
        }
    }
}

impl<'a> Printer<'_, 'a> {
    pub(super) fn expression(&mut self, node: Node<'a>) -> Option<()> {
        match node {
            Node::Binary {
                left,
                op,
                right,
                prec,
            } => self.binary(left, op, right, prec),
            Node::PrefixOp { op, child, prec } => {
                self.put(op)?;
                self.operand(child, prec)
            }
            Node::PostfixOp { child, op, prec } => {
                self.operand_of_same(child, prec)?;
                self.put(op)
            }
            Node::Access {
                left,
                op,
                right,
                prec,
            } => {
                self.operand_of_same(left, prec)?;
                self.put(op)?;
                self.operand(right, prec)
            }
            Node::Subscript { array, index } => {
                self.operand(array, Prec::Postfix)?;
                self.open("[")?;
                self.operand(index, Prec::Default)?;
                self.close("]")
            }
            Node::Conditional {
                condition,
                then,
                other,
            } => {
                self.operand(condition, Prec::Conditional)?;
                self.put(" ? ")?;
                self.operand(then, Prec::Default)?;
                self.put(" : ")?;
                self.operand_of_same(other, Prec::Assign)
            }
            Node::NamedCast { op, to, from } => {
                self.put(op)?;
                self.angled(|printer| printer.whole(to))?;
                self.bracketed(from, true)
            }
            Node::Cast { to, from } => {
                self.bracketed(to, true)?;
                self.call_args(from)
            }
            Node::Call { callee, args } => {
                self.whole(callee)?;
                self.call_args(args)
            }
            Node::New {
                placement,
                of,
                init,
                is_global,
                is_array,
            } => {
                self.new_or_delete("new", is_global, is_array)?;
                if !placement.is_empty() {
                    self.call_args(placement)?;
                }
                self.put(" ")?;
                self.whole(of)?;
                if init.is_empty() {
                    Some(())
                } else {
                    self.call_args(init)
                }
            }
            Node::Delete {
                child,
                is_global,
                is_array,
            } => {
                self.new_or_delete("delete", is_global, is_array)?;
                self.put(" ")?;
                self.whole(child)
            }
            Node::InitList { of, init } => {
                self.optional("", of)?;
                self.put("{")?;
                self.comma_separated(init)?;
                self.put("}")
            }
            Node::Designated { at, init, is_array } => {
                self.put(if is_array { "[" } else { "." })?;
                self.whole(at)?;
                if is_array {
                    self.put("]")?;
                }
                self.designated(init)
            }
            Node::DesignatedRange { first, last, init } => {
                self.put("[")?;
                self.whole(first)?;
                self.put(" ... ")?;
                self.whole(last)?;
                self.put("]")?;
                self.designated(init)
            }
            Node::Fold {
                is_left,
                op,
                pack,
                init,
            } => self.fold(is_left, op, pack, init),
            Node::Requires {
                params,
                requirements,
            } => self.requires(params, requirements),
            Node::ExprRequirement {
                child,
                is_noexcept,
                constraint,
            } => self.expression_requirement(child, is_noexcept, constraint),
            Node::Requirement { text, child } => {
                self.put(text)?;
                self.whole(child)?;
                self.put(";")
            }
            _ => self.literal(node),
        }
    }

    fn literal(&mut self, node: Node<'a>) -> Option<()> {
        match node {
            Node::Subobject { of, child, offset } => {
                self.whole(child)?;
                self.put(".<")?;
                self.whole(of)?;
                self.put(" at offset ")?;
                self.number(offset)?;
                self.put(">")
            }
            Node::StringLiteral(of) => {
                self.put("\"<")?;
                self.whole(of)?;
                self.put(">\"")
            }
            Node::Lambda(closure) => {
                self.put("[]")?;
                if let Node::Closure { params, .. } = self.node(closure)? {
                    self.whole(params)?;
                }
                self.put("{...}")
            }
            Node::EnumLiteral { of, value } => {
                self.bracketed(of, true)?;
                self.number(value)
            }
            Node::Integer { of, value } => {
                // Longer ones are types, the others are suffixes.
                if of.len() <= 3 {
                    self.number(value)?;
                    return self.put(of);
                }
                self.put("(")?;
                self.put(of)?;
                self.put(")")?;
                self.number(value)
            }
            Node::Float { digits, width } => {
                let text = floats::hexadecimal(digits, width)?;
                self.put(&text)
            }
            // The other kinds are printed elsewhere.
            _ => None,
        }
    }

    fn number(&mut self, value: &str) -> Option<()> {
        match value.strip_prefix('n') {
            Some(digits) => {
                self.put("-")?;
                self.put(digits)
            }
            None => self.put(value),
        }
    }

    fn binary(&mut self, left: Id, op: &str, right: Id, prec: Prec) -> Option<()> {
        // An unparenthesized `>` would end the template arguments.
        let is_ambiguous = self.brackets == 0 && matches!(op, ">" | ">>");
        if is_ambiguous {
            self.open("(")?;
        }
        let is_assignment = prec == Prec::Assign;
        if is_assignment {
            self.operand(left, Prec::OrIf)?;
        } else {
            self.operand_of_same(left, prec)?;
        }
        if op != "," {
            self.put(" ")?;
        }
        self.put(op)?;
        self.put(" ")?;
        if is_assignment {
            self.operand_of_same(right, prec)?;
        } else {
            self.operand(right, prec)?;
        }
        if is_ambiguous {
            self.close(")")
        } else {
            Some(())
        }
    }

    fn call_args(&mut self, args: List) -> Option<()> {
        self.open("(")?;
        self.comma_separated(args)?;
        self.close(")")
    }

    fn new_or_delete(&mut self, word: &str, is_global: bool, is_array: bool) -> Option<()> {
        if is_global {
            self.put("::")?;
        }
        self.put(word)?;
        if is_array { self.put("[]") } else { Some(()) }
    }

    fn designated(&mut self, init: Id) -> Option<()> {
        let is_nested = matches!(
            self.node(init)?,
            Node::Designated { .. } | Node::DesignatedRange { .. }
        );
        if !is_nested {
            self.put(" = ")?;
        }
        self.whole(init)
    }

    fn fold(&mut self, is_left: bool, op: &str, pack: Id, init: Option<Id>) -> Option<()> {
        self.open("(")?;
        if is_left {
            if let Some(init) = init {
                self.operand_of_same(init, Prec::Cast)?;
                self.infix(op)?;
            }
            self.put("...")?;
            self.infix(op)?;
            self.fold_pack(pack)?;
        } else {
            self.fold_pack(pack)?;
            self.infix(op)?;
            self.put("...")?;
            if let Some(init) = init {
                self.infix(op)?;
                self.operand_of_same(init, Prec::Cast)?;
            }
        }
        self.close(")")
    }

    fn infix(&mut self, op: &str) -> Option<()> {
        self.put(" ")?;
        self.put(op)?;
        self.put(" ")
    }

    fn fold_pack(&mut self, pack: Id) -> Option<()> {
        self.open("(")?;
        self.expansion(pack)?;
        self.close(")")
    }

    fn requires(&mut self, params: List, requirements: List) -> Option<()> {
        self.put("requires")?;
        if !params.is_empty() {
            self.put(" ")?;
            self.call_args(params)?;
        }
        self.put(" ")?;
        self.open("{")?;
        let tree = self.tree;
        for requirement in tree.list(requirements) {
            self.whole(*requirement)?;
        }
        self.put(" ")?;
        self.close("}")
    }

    fn expression_requirement(
        &mut self,
        child: Id,
        is_noexcept: bool,
        constraint: Option<Id>,
    ) -> Option<()> {
        self.put(" ")?;
        let is_compound = is_noexcept || constraint.is_some();
        if is_compound {
            self.open("{")?;
        }
        self.whole(child)?;
        if is_compound {
            self.close("}")?;
        }
        if is_noexcept {
            self.put(" noexcept")?;
        }
        self.optional(" -> ", constraint)?;
        self.put(";")
    }
}
