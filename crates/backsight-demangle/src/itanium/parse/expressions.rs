//! Expressions in template arguments and in `decltype`.

use super::super::id::{Id, List};
use super::super::node::{Node, Prec};
use super::ItaniumParser;
use super::operators::{Operator, OperatorKind};

impl ItaniumParser<'_> {
    pub(super) fn expression(&mut self) -> Option<Id> {
        self.deeper(Self::expression_alone)
    }

    fn expression_alone(&mut self) -> Option<Id> {
        let is_global = self.at.eat("gs");
        if let Some(operator) = self.operator() {
            return self.operation(&operator, is_global);
        }
        match (self.at.peek(), self.at.peek_at(1)) {
            (b'L', _) => self.literal(),
            (b'T', _) => self.template_param(),
            (b'f', b'p') => self.function_param(),
            (b'f', b'L') if self.at.peek_at(2).is_ascii_digit() => self.function_param(),
            (b'f', _) => self.fold(),
            (b'i', b'l') => {
                self.at.expect("il")?;
                self.init_list(None)
            }
            (b't', b'l') => {
                self.at.expect("tl")?;
                let of = self.ty()?;
                self.init_list(Some(of))
            }
            (b'c', b'p') => {
                // A parenthesized name, which suppresses argument-dependent lookup.
                self.at.expect("cp")?;
                let name = self.expression()?;
                let callee = self.add(Node::Enclosed {
                    prefix: "",
                    child: name,
                    prec: Prec::Primary,
                })?;
                let args = self.list_until("E", Self::expression)?;
                self.add(Node::Call { callee, args })
            }
            (b'm', b'c') => self.member_pointer_conversion(),
            (b'n', b'x') => {
                self.at.expect("nx")?;
                let child = self.expression()?;
                let prec = Prec::Unary;
                self.add(Node::Enclosed {
                    prefix: "noexcept ",
                    child,
                    prec,
                })
            }
            (b'r', b'q' | b'Q') => self.requires(),
            (b's', b'o') => self.subobject(),
            (b's', b'p') => {
                self.at.expect("sp")?;
                let child = self.expression()?;
                self.add(Node::Expansion(child))
            }
            (b's', b'Z' | b'P') => self.pack_size(),
            (b't', b'r') => {
                self.at.expect("tr")?;
                self.text("throw")
            }
            (b't', b'w') => {
                self.at.expect("tw")?;
                let child = self.expression()?;
                self.add(Node::Prefixed {
                    text: "throw ",
                    child,
                })
            }
            (b'u', _) => self.vendor_expression(),
            _ => self.unresolved_name(is_global),
        }
    }

    fn operation(&mut self, operator: &Operator, is_global: bool) -> Option<Id> {
        let (op, prec) = (operator.symbol(), operator.prec);
        match operator.kind {
            OperatorKind::Binary => {
                let left = self.expression()?;
                let right = self.expression()?;
                self.add(Node::Binary {
                    left,
                    op,
                    right,
                    prec,
                })
            }
            OperatorKind::Prefix => self.prefix_operation(op, prec),
            OperatorKind::Postfix if self.at.eat("_") => self.prefix_operation(op, prec),
            OperatorKind::Postfix => {
                let child = self.expression()?;
                self.add(Node::PostfixOp { child, op, prec })
            }
            OperatorKind::Subscript => {
                let array = self.expression()?;
                let index = self.expression()?;
                self.add(Node::Subscript { array, index })
            }
            OperatorKind::Access => {
                let left = self.expression()?;
                let right = self.expression()?;
                self.add(Node::Access {
                    left,
                    op,
                    right,
                    prec,
                })
            }
            OperatorKind::New { is_array } => self.new_expression(is_global, is_array),
            OperatorKind::Delete { is_array } => {
                let child = self.expression()?;
                self.add(Node::Delete {
                    child,
                    is_global,
                    is_array,
                })
            }
            OperatorKind::Call => {
                let callee = self.expression()?;
                let args = self.list_until("E", Self::expression)?;
                self.add(Node::Call { callee, args })
            }
            OperatorKind::Cast => self.cast(),
            OperatorKind::Conditional => {
                let condition = self.expression()?;
                let then = self.expression()?;
                let other = self.expression()?;
                self.add(Node::Conditional {
                    condition,
                    then,
                    other,
                })
            }
            OperatorKind::NamedCast => {
                let to = self.ty()?;
                let from = self.expression()?;
                self.add(Node::NamedCast { op, to, from })
            }
            OperatorKind::OfType => {
                let child = self.ty()?;
                self.add(Node::Enclosed {
                    prefix: op,
                    child,
                    prec,
                })
            }
            OperatorKind::OfExpression => {
                let child = self.expression()?;
                self.add(Node::Enclosed {
                    prefix: op,
                    child,
                    prec,
                })
            }
            OperatorKind::Name => None,
        }
    }

    fn prefix_operation(&mut self, op: &'static str, prec: Prec) -> Option<Id> {
        let child = self.expression()?;
        self.add(Node::PrefixOp { op, child, prec })
    }

    fn one(&mut self, element: Id) -> Option<List> {
        let start = self.stack.len();
        self.stack.push(element);
        self.list_from(start)
    }

    fn cast(&mut self) -> Option<Id> {
        let to = self.template_args_are_for_operator(Self::ty)?;
        let from = if self.at.eat("_") {
            self.list_until("E", Self::expression)?
        } else {
            let from = self.expression()?;
            self.one(from)?
        };
        self.add(Node::Cast { to, from })
    }

    fn new_expression(&mut self, is_global: bool, is_array: bool) -> Option<Id> {
        let placement = self.list_until("_", Self::expression)?;
        let of = self.ty()?;
        let init = if self.at.eat("pi") {
            self.list_until("E", Self::expression)?
        } else {
            self.at.expect("E")?;
            List::default()
        };
        self.add(Node::New {
            placement,
            of,
            init,
            is_global,
            is_array,
        })
    }

    fn init_list(&mut self, of: Option<Id>) -> Option<Id> {
        let init = self.list_until("E", Self::initializer)?;
        self.add(Node::InitList { of, init })
    }

    fn initializer(&mut self) -> Option<Id> {
        self.deeper(|parser| {
            if parser.at.eat("di") {
                let at = parser.source_name()?;
                let init = parser.initializer()?;
                return parser.add(Node::Designated {
                    at,
                    init,
                    is_array: false,
                });
            }
            if parser.at.eat("dx") {
                let at = parser.expression()?;
                let init = parser.initializer()?;
                return parser.add(Node::Designated {
                    at,
                    init,
                    is_array: true,
                });
            }
            if parser.at.eat("dX") {
                let first = parser.expression()?;
                let last = parser.expression()?;
                let init = parser.initializer()?;
                return parser.add(Node::DesignatedRange { first, last, init });
            }
            parser.expression()
        })
    }

    /// Reads `fp_`, `fp0_`, `fL0p_`, `fpT`.
    fn function_param(&mut self) -> Option<Id> {
        if self.at.eat("fpT") {
            return self.text("this");
        }
        if !self.at.eat("fp") {
            self.at.expect("fL")?;
            self.at.number()?;
            self.at.expect("p")?;
        }
        self.at.qualifiers();
        let number = self.at.digits();
        self.at.expect("_")?;
        let child = self.text(number)?;
        self.add(Node::Prefixed { text: "fp", child })
    }

    fn fold(&mut self) -> Option<Id> {
        self.at.expect("f")?;
        let (is_left, has_init) = match self.at.take(1)? {
            "L" => (true, true),
            "R" => (false, true),
            "l" => (true, false),
            "r" => (false, false),
            _ => return None,
        };
        let operator = self.operator()?;
        let op = operator.symbol();
        let is_member = operator.kind == OperatorKind::Access && op.ends_with('*');
        if operator.kind != OperatorKind::Binary && !is_member {
            return None;
        }
        let first = self.expression()?;
        let second = if has_init {
            Some(self.expression()?)
        } else {
            None
        };
        let (pack, init) = match second {
            Some(second) if is_left => (second, Some(first)),
            _ => (first, second),
        };
        self.add(Node::Fold {
            is_left,
            op,
            pack,
            init,
        })
    }

    fn pack_size(&mut self) -> Option<Id> {
        if self.at.eat("sP") {
            let args = self.list_until("E", Self::template_arg)?;
            let child = self.add(Node::ArgPack(args))?;
            let prec = Prec::Primary;
            return self.add(Node::Enclosed {
                prefix: "sizeof... ",
                child,
                prec,
            });
        }
        self.at.expect("sZ")?;
        let (prefix, child) = if self.at.peek() == b'T' {
            let pack = self.template_param()?;
            ("sizeof...", self.add(Node::Expansion(pack))?)
        } else {
            ("sizeof... ", self.function_param()?)
        };
        self.add(Node::Enclosed {
            prefix,
            child,
            prec: Prec::Primary,
        })
    }

    fn member_pointer_conversion(&mut self) -> Option<Id> {
        self.at.expect("mc")?;
        let to = self.ty()?;
        let child = self.expression()?;
        self.at.signed();
        self.at.expect("E")?;
        let from = self.one(child)?;
        self.add(Node::Cast { to, from })
    }

    fn subobject(&mut self) -> Option<Id> {
        self.at.expect("so")?;
        let of = self.ty()?;
        let child = self.expression()?;
        let offset = self.at.signed().unwrap_or("0");
        while self.at.eat("_") {
            // Union members, which are not shown.
            self.at.digits();
        }
        // One past the end.
        self.at.eat("p");
        self.at.expect("E")?;
        self.add(Node::Subobject { of, child, offset })
    }

    fn vendor_expression(&mut self) -> Option<Id> {
        self.at.expect("u")?;
        let name = self.at.identifier()?;
        let args = if name == "__uuidof" && self.at.eat("t") {
            let of = self.ty()?;
            self.one(of)?
        } else if name == "__uuidof" && self.at.eat("z") {
            let of = self.expression()?;
            self.one(of)?
        } else {
            self.list_until("E", Self::template_arg)?
        };
        let callee = self.text(name)?;
        self.add(Node::Call { callee, args })
    }
}
