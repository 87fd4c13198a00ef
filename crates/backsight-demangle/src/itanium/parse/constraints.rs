//! Requires-expressions.

use super::super::id::{Id, List};
use super::super::node::Node;
use super::ItaniumParser;

impl ItaniumParser<'_> {
    pub(super) fn requires(&mut self) -> Option<Id> {
        let params = if self.at.eat("rQ") {
            self.list_until("_", Self::ty)?
        } else {
            self.at.expect("rq")?;
            List::default()
        };
        let start = self.stack.len();
        loop {
            let requirement = self.requirement()?;
            self.stack.push(requirement);
            if self.at.eat("E") {
                break;
            }
        }
        let requirements = self.list_from(start)?;
        self.add(Node::Requires {
            params,
            requirements,
        })
    }

    fn requirement(&mut self) -> Option<Id> {
        if self.at.eat("T") {
            let child = self.ty()?;
            return self.add(Node::Requirement {
                text: " typename ",
                child,
            });
        }
        if self.at.eat("Q") {
            let child = self.expression()?;
            return self.add(Node::Requirement {
                text: " requires ",
                child,
            });
        }
        self.at.expect("X")?;
        let child = self.expression()?;
        let is_noexcept = self.at.eat("N");
        let constraint = if self.at.eat("R") {
            Some(self.concept()?)
        } else {
            None
        };
        self.add(Node::ExprRequirement {
            child,
            is_noexcept,
            constraint,
        })
    }
}
