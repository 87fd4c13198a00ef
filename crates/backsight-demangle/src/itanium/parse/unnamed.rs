//! Unnamed types: classes, lambdas, blocks.

use super::super::id::{Id, List};
use super::super::node::Node;
use super::{ItaniumParser, NameInfo};

impl ItaniumParser<'_> {
    pub(super) fn unnamed_type(&mut self, info: Option<&mut NameInfo>) -> Option<Id> {
        if info.is_some() {
            // Template parameters in it refer only to the innermost arguments.
            self.scopes.clear();
        }
        if self.at.eat("Ut") {
            let count = self.at.digits();
            self.at.expect("_")?;
            return self.add(Node::Unnamed { count });
        }
        if self.at.eat("Ub") {
            self.at.digits();
            self.at.expect("_")?;
            return self.text("'block-literal'");
        }
        self.at.expect("Ul")?;
        self.closure()
    }

    fn closure(&mut self) -> Option<Id> {
        let level = self.scopes.len();
        let auto_around = self.auto_level.replace(level);
        self.scopes.push(Vec::new());
        let start = self.stack.len();
        while self.is_template_param_decl() {
            let decl = self.template_param_decl(true)?;
            self.stack.push(decl);
        }
        let templates = self.list_from(start)?;
        if templates.is_empty() {
            // Parameters refer to the enclosing level; higher numbers are `auto`.
            self.scopes.truncate(level);
        }
        let before = self.optional_constraint()?;
        let params = self.closure_params()?;
        let after = self.optional_constraint()?;
        self.scopes.truncate(level);
        self.auto_level = auto_around;
        self.at.expect("E")?;
        let count = self.at.digits();
        self.at.expect("_")?;
        let params = self.add(Node::ClosureParams {
            templates,
            before,
            params,
            after,
        })?;
        self.add(Node::Closure { params, count })
    }

    fn closure_params(&mut self) -> Option<List> {
        if self.at.eat("v") {
            return Some(List::default());
        }
        let start = self.stack.len();
        loop {
            let ty = self.ty()?;
            self.stack.push(ty);
            if matches!(self.at.peek(), b'E' | b'Q') {
                return self.list_from(start);
            }
        }
    }
}
