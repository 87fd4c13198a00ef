//! Functions with their parameters.

use super::super::id::Id;
use super::super::node::{Node, Quals, RefQual};
use super::{Has, Printer};

impl<'a> Printer<'_, 'a> {
    pub(super) fn encoding_left(&mut self, returns: Option<Id>, name: Id) -> Option<()> {
        if let Some(returns) = returns {
            self.left_and_space(returns)?;
        }
        self.whole(name)
    }

    /// Prints a type in front of the declared name.
    pub(super) fn left_and_space(&mut self, of: Id) -> Option<()> {
        self.left(of)?;
        if self.has(of, Has::Anything)? {
            return Some(());
        }
        self.put(" ")
    }

    pub(super) fn encoding_right(&mut self, node: Node<'a>) -> Option<()> {
        let Node::Encoding {
            returns,
            params,
            attributes,
            requires,
            quals,
            ref_qual,
            ..
        } = node
        else {
            return None;
        };
        self.open("(")?;
        self.comma_separated(params)?;
        self.close(")")?;
        if let Some(returns) = returns {
            self.right(returns)?;
        }
        self.qualifiers(quals)?;
        self.ref_qualifier(ref_qual)?;
        self.optional("", attributes)?;
        self.optional(" requires ", requires)
    }

    pub(super) fn qualifiers(&mut self, quals: Quals) -> Option<()> {
        let all = [
            (quals.is_const, " const"),
            (quals.is_volatile, " volatile"),
            (quals.is_restrict, " restrict"),
        ];
        for (is_there, text) in all {
            if is_there {
                self.put(text)?;
            }
        }
        Some(())
    }

    pub(super) fn ref_qualifier(&mut self, ref_qual: RefQual) -> Option<()> {
        match ref_qual {
            RefQual::None => Some(()),
            RefQual::LValue => self.put(" &"),
            RefQual::RValue => self.put(" &&"),
        }
    }
}
