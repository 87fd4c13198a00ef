//! Operators in names and in expressions.

use super::super::id::Id;
use super::super::node::{Node, Prec};
use super::{ItaniumParser, NameInfo};

/// The position of an operator relative to its operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OperatorKind {
    Prefix,
    /// A prefix operator if `_` follows, otherwise postfix.
    Postfix,
    Binary,
    Subscript,
    /// `.`, `->`, `.*`, `->*`.
    Access,
    New {
        is_array: bool,
    },
    Delete {
        is_array: bool,
    },
    Call,
    Cast,
    Conditional,
    /// Only in names.
    Name,
    /// `static_cast` and the like: not the name of an operator function.
    NamedCast,
    /// `sizeof (T)`: not the name of an operator function.
    OfType,
    OfExpression,
}

pub(super) struct Operator {
    pub(super) kind: OperatorKind,
    pub(super) prec: Prec,
    /// The name of the operator function.
    name: &'static str,
}

impl Operator {
    /// Returns the operator as shown between operands.
    pub(super) fn symbol(&self) -> &'static str {
        let symbol = self.name.strip_prefix("operator").unwrap_or(self.name);
        symbol.strip_prefix(' ').unwrap_or(symbol)
    }

    fn is_nameable(&self) -> bool {
        match self.kind {
            OperatorKind::NamedCast | OperatorKind::OfType | OperatorKind::OfExpression => false,
            // The others of this kind cannot be overloaded.
            OperatorKind::Access => matches!(self.symbol(), "->" | "->*"),
            _ => true,
        }
    }
}

/// Returns the operator with this two-letter code.
pub(super) fn operator(code: &str) -> Option<Operator> {
    use OperatorKind::{Access, Binary, NamedCast, OfExpression, OfType, Postfix, Prefix};
    let (kind, prec, name) = match code {
        "aN" => (Binary, Prec::Assign, "operator&="),
        "aS" => (Binary, Prec::Assign, "operator="),
        "aa" => (Binary, Prec::AndIf, "operator&&"),
        "ad" => (Prefix, Prec::Unary, "operator&"),
        "an" => (Binary, Prec::And, "operator&"),
        "at" => (OfType, Prec::Unary, "alignof "),
        "aw" => (OperatorKind::Name, Prec::Primary, "operator co_await"),
        "az" => (OfExpression, Prec::Unary, "alignof "),
        "cc" => (NamedCast, Prec::Postfix, "const_cast"),
        "cl" => (OperatorKind::Call, Prec::Postfix, "operator()"),
        "cm" => (Binary, Prec::Comma, "operator,"),
        "co" => (Prefix, Prec::Unary, "operator~"),
        "cv" => (OperatorKind::Cast, Prec::Cast, "operator"),
        "dV" => (Binary, Prec::Assign, "operator/="),
        "da" => (
            OperatorKind::Delete { is_array: true },
            Prec::Unary,
            "operator delete[]",
        ),
        "dc" => (NamedCast, Prec::Postfix, "dynamic_cast"),
        "de" => (Prefix, Prec::Unary, "operator*"),
        "dl" => (
            OperatorKind::Delete { is_array: false },
            Prec::Unary,
            "operator delete",
        ),
        "ds" => (Access, Prec::PtrMem, "operator.*"),
        "dt" => (Access, Prec::Postfix, "operator."),
        // LLVM's demangler uses this precedence.
        "dv" => (Binary, Prec::Assign, "operator/"),
        "eO" => (Binary, Prec::Assign, "operator^="),
        "eo" => (Binary, Prec::Xor, "operator^"),
        "eq" => (Binary, Prec::Equality, "operator=="),
        "ge" => (Binary, Prec::Relational, "operator>="),
        "gt" => (Binary, Prec::Relational, "operator>"),
        "ix" => (OperatorKind::Subscript, Prec::Postfix, "operator[]"),
        "lS" => (Binary, Prec::Assign, "operator<<="),
        "le" => (Binary, Prec::Relational, "operator<="),
        "ls" => (Binary, Prec::Shift, "operator<<"),
        "lt" => (Binary, Prec::Relational, "operator<"),
        "mI" => (Binary, Prec::Assign, "operator-="),
        "mL" => (Binary, Prec::Assign, "operator*="),
        "mi" => (Binary, Prec::Additive, "operator-"),
        "ml" => (Binary, Prec::Multiplicative, "operator*"),
        "mm" => (Postfix, Prec::Postfix, "operator--"),
        "na" => (
            OperatorKind::New { is_array: true },
            Prec::Unary,
            "operator new[]",
        ),
        "ne" => (Binary, Prec::Equality, "operator!="),
        "ng" => (Prefix, Prec::Unary, "operator-"),
        "nt" => (Prefix, Prec::Unary, "operator!"),
        "nw" => (
            OperatorKind::New { is_array: false },
            Prec::Unary,
            "operator new",
        ),
        "oR" => (Binary, Prec::Assign, "operator|="),
        "oo" => (Binary, Prec::OrIf, "operator||"),
        "or" => (Binary, Prec::Or, "operator|"),
        "pL" => (Binary, Prec::Assign, "operator+="),
        "pl" => (Binary, Prec::Additive, "operator+"),
        "pm" => (Access, Prec::PtrMem, "operator->*"),
        "pp" => (Postfix, Prec::Postfix, "operator++"),
        "ps" => (Prefix, Prec::Unary, "operator+"),
        "pt" => (Access, Prec::Postfix, "operator->"),
        "qu" => (OperatorKind::Conditional, Prec::Conditional, "operator?"),
        "rM" => (Binary, Prec::Assign, "operator%="),
        "rS" => (Binary, Prec::Assign, "operator>>="),
        "rc" => (NamedCast, Prec::Postfix, "reinterpret_cast"),
        "rm" => (Binary, Prec::Multiplicative, "operator%"),
        "rs" => (Binary, Prec::Shift, "operator>>"),
        "sc" => (NamedCast, Prec::Postfix, "static_cast"),
        "ss" => (Binary, Prec::Spaceship, "operator<=>"),
        "st" => (OfType, Prec::Unary, "sizeof "),
        "sz" => (OfExpression, Prec::Unary, "sizeof "),
        "te" => (OfExpression, Prec::Postfix, "typeid "),
        "ti" => (OfType, Prec::Postfix, "typeid "),
        _ => return None,
    };
    Some(Operator { kind, prec, name })
}

impl ItaniumParser<'_> {
    /// Reads an operator.
    pub(super) fn operator(&mut self) -> Option<Operator> {
        let found = operator(self.at.rest().get(..2)?)?;
        self.at.take(2)?;
        Some(found)
    }

    pub(super) fn operator_name(&mut self, info: Option<&mut NameInfo>) -> Option<Id> {
        if let Some(operator) = self.operator() {
            if operator.kind == OperatorKind::Cast {
                return self.conversion_operator(info);
            }
            return operator.is_nameable().then(|| self.text(operator.name))?;
        }
        if self.at.eat("li") {
            let child = self.source_name()?;
            return self.add(Node::Prefixed {
                text: "operator\"\" ",
                child,
            });
        }
        // A vendor's operator; the digit is the number of operands.
        self.at.expect("v")?;
        let digit = self.at.take(1)?;
        if !digit.starts_with(|digit: char| digit.is_ascii_digit()) {
            return None;
        }
        let child = self.source_name()?;
        self.add(Node::Prefixed {
            text: "operator ",
            child,
        })
    }

    fn conversion_operator(&mut self, info: Option<&mut NameInfo>) -> Option<Id> {
        let may_be_forward = self.may_be_forward || info.is_some();
        let before = std::mem::replace(&mut self.may_be_forward, may_be_forward);
        let child = self.template_args_are_for_operator(Self::ty)?;
        self.may_be_forward = before;
        if let Some(info) = info {
            info.is_untyped = true;
        }
        self.add(Node::Prefixed {
            text: "operator ",
            child,
        })
    }
}
