//! Types.

use super::super::id::Id;
use super::super::node::{Node, Prec, Quals, RefQual};
use super::ItaniumParser;
use super::cursor::NameCursor;

/// Built-in types with a one-letter code.
fn builtin(code: u8) -> Option<&'static str> {
    Some(match code {
        b'v' => "void",
        b'w' => "wchar_t",
        b'b' => "bool",
        b'c' => "char",
        b'a' => "signed char",
        b'h' => "unsigned char",
        b's' => "short",
        b't' => "unsigned short",
        b'i' => "int",
        b'j' => "unsigned int",
        b'l' => "long",
        b'm' => "unsigned long",
        b'x' => "long long",
        b'y' => "unsigned long long",
        b'n' => "__int128",
        b'o' => "unsigned __int128",
        b'f' => "float",
        b'd' => "double",
        b'e' => "long double",
        b'g' => "__float128",
        b'z' => "...",
        _ => return None,
    })
}

/// Built-in types with the code `D` and a letter.
fn builtin_after_d(code: u8) -> Option<&'static str> {
    Some(match code {
        b'd' => "decimal64",
        b'e' => "decimal128",
        b'f' => "decimal32",
        b'h' => "half",
        b'i' => "char32_t",
        b's' => "char16_t",
        b'u' => "char8_t",
        b'a' => "auto",
        b'c' => "decltype(auto)",
        b'n' => "std::nullptr_t",
        _ => return None,
    })
}

impl ItaniumParser<'_> {
    pub(super) fn ty(&mut self) -> Option<Id> {
        if let Some(name) = builtin(self.at.peek()) {
            self.at.take(1)?;
            return self.text(name);
        }
        self.deeper(Self::composed_type)
    }

    fn composed_type(&mut self) -> Option<Id> {
        let found = match self.at.peek() {
            b'P' => self.wrapped(Node::Pointer)?,
            b'R' => self.wrapped(|child| Node::Reference {
                child,
                is_rvalue: false,
            })?,
            b'O' => self.wrapped(|child| Node::Reference {
                child,
                is_rvalue: true,
            })?,
            b'C' => self.wrapped(|child| Node::Suffixed {
                child,
                text: " complex",
            })?,
            b'G' => self.wrapped(|child| Node::Suffixed {
                child,
                text: " imaginary",
            })?,
            b'r' | b'V' | b'K' if self.is_qualified_function() => self.function()?,
            b'r' | b'V' | b'K' | b'U' => self.qualified()?,
            b'u' => self.vendor_type()?,
            b'F' => self.function()?,
            b'A' => self.array()?,
            b'M' => {
                self.at.expect("M")?;
                let class = self.ty()?;
                let child = self.ty()?;
                self.add(Node::MemberPointer { class, child })?
            }
            b'T' if !matches!(self.at.peek_at(1), b's' | b'u' | b'e') => {
                let name = self.template_param()?;
                if self.may_take_args && self.at.peek() == b'I' {
                    // A template template parameter, which is also a substitution.
                    self.substitutions.push(name);
                    let args = self.template_args(false)?;
                    self.add(Node::Templated { name, args })?
                } else {
                    name
                }
            }
            b'S' if self.at.peek_at(1) != b't' => {
                let (name, is_substitution) = self.unscoped_name(None, true)?;
                if self.at.peek() == b'I' && (!is_substitution || self.may_take_args) {
                    if !is_substitution {
                        self.substitutions.push(name);
                    }
                    let args = self.template_args(false)?;
                    self.add(Node::Templated { name, args })?
                } else if is_substitution {
                    return Some(name);
                } else {
                    name
                }
            }
            b'D' => match self.after_d()? {
                Put::In(found) => found,
                Put::Not(found) => return Some(found),
            },
            _ => self.class_or_enum()?,
        };
        self.substitutions.push(found);
        Some(found)
    }

    fn wrapped(&mut self, wrap: impl FnOnce(Id) -> Node<'static>) -> Option<Id> {
        self.at.take(1)?;
        let child = self.ty()?;
        self.add(wrap(child))
    }

    fn is_qualified_function(&self) -> bool {
        let mut at = self.at;
        at.qualifiers();
        let second = at.peek_at(1);
        at.peek() == b'F' || at.peek() == b'D' && matches!(second, b'o' | b'O' | b'w' | b'x')
    }

    fn qualified(&mut self) -> Option<Id> {
        if !self.at.eat("U") {
            let quals = self.at.qualifiers();
            let child = self.ty()?;
            if quals == Quals::default() {
                return Some(child);
            }
            return self.add(Node::Qualified { child, quals });
        }
        let ext = self.at.identifier()?;
        if let Some(protocol) = ext.strip_prefix("objcproto") {
            let protocol = NameCursor::new(protocol).identifier()?;
            let child = self.deeper(Self::qualified)?;
            return self.add(Node::ObjcProtocol { child, protocol });
        }
        let mut args = None;
        if self.at.peek() == b'I' {
            args = Some(self.template_args(false)?);
        }
        let child = self.deeper(Self::qualified)?;
        self.add(Node::Vendor { child, ext, args })
    }

    fn vendor_type(&mut self) -> Option<Id> {
        self.at.expect("u")?;
        let prefix = self.at.identifier()?;
        if !self.at.eat("I") {
            return self.text(prefix);
        }
        let child = self.ty()?;
        self.at.expect("E")?;
        self.add(Node::Enclosed {
            prefix,
            child,
            prec: Prec::Primary,
        })
    }

    fn after_d(&mut self) -> Option<Put> {
        let code = self.at.peek_at(1);
        if let Some(name) = builtin_after_d(code) {
            self.at.take(2)?;
            return self.text(name).map(Put::Not);
        }
        match code {
            b't' | b'T' => self.decltype().map(Put::In),
            b'v' => self.vector().map(Put::In),
            b'o' | b'O' | b'w' | b'x' => self.function().map(Put::In),
            b'p' => {
                self.at.take(2)?;
                let child = self.ty()?;
                self.add(Node::Expansion(child)).map(Put::In)
            }
            b'k' | b'K' => {
                self.at.take(2)?;
                let child = self.concept()?;
                let text = if code == b'k' {
                    " auto"
                } else {
                    " decltype(auto)"
                };
                self.add(Node::Suffixed { child, text }).map(Put::Not)
            }
            b'F' => self.sized_float().map(Put::Not),
            b'B' | b'U' => {
                self.at.take(2)?;
                let child = self.length()??;
                self.at.expect("_")?;
                let prefix = if code == b'B' {
                    "_BitInt"
                } else {
                    "unsigned _BitInt"
                };
                let prec = Prec::Primary;
                self.add(Node::Enclosed {
                    prefix,
                    child,
                    prec,
                })
                .map(Put::In)
            }
            _ => self.class_or_enum().map(Put::In),
        }
    }

    /// Reads `DF16_`, `DF16b`, `DF32x`.
    fn sized_float(&mut self) -> Option<Id> {
        self.at.expect("DF")?;
        if self.at.eat("16b") {
            return self.text("std::bfloat16_t");
        }
        let bits = self.at.digits();
        let is_extended = self.at.eat("x");
        if !is_extended {
            self.at.expect("_")?;
        }
        let bits = self.text(bits)?;
        let child = self.add(Node::Prefixed {
            text: "_Float",
            child: bits,
        })?;
        if is_extended {
            return self.add(Node::Suffixed { child, text: "x" });
        }
        Some(child)
    }

    /// Reads a number or an expression up to `_`, if present.
    #[expect(
        clippy::option_option,
        reason = "the outer `None` means that the name is malformed"
    )]
    fn length(&mut self) -> Option<Option<Id>> {
        if self.at.peek() == b'_' {
            return Some(None);
        }
        let length = if self.at.is_digit() {
            let digits = self.at.digits();
            self.text(digits)?
        } else {
            self.expression()?
        };
        Some(Some(length))
    }

    fn array(&mut self) -> Option<Id> {
        self.at.expect("A")?;
        let length = self.length()?;
        self.at.expect("_")?;
        let child = self.ty()?;
        self.add(Node::Array { child, length })
    }

    fn vector(&mut self) -> Option<Id> {
        self.at.expect("Dv")?;
        let is_number = self.at.is_digit();
        let length = self.length()?;
        self.at.expect("_")?;
        let child = if is_number && self.at.eat("p") {
            self.text("pixel")?
        } else {
            self.ty()?
        };
        self.add(Node::Vector { child, length })
    }

    pub(super) fn decltype(&mut self) -> Option<Id> {
        if !self.at.eat("Dt") {
            self.at.expect("DT")?;
        }
        let child = self.expression()?;
        self.at.expect("E")?;
        self.add(Node::Enclosed {
            prefix: "decltype",
            child,
            prec: Prec::Primary,
        })
    }

    fn class_or_enum(&mut self) -> Option<Id> {
        let kinds = [("Ts", "struct "), ("Tu", "union "), ("Te", "enum ")];
        for (code, text) in kinds {
            if self.at.eat(code) {
                let child = self.name(None)?;
                return self.add(Node::Prefixed { text, child });
            }
        }
        self.name(None)
    }

    fn function(&mut self) -> Option<Id> {
        let quals = self.at.qualifiers();
        let mut exceptions = None;
        if self.at.eat("Do") {
            exceptions = Some(self.text("noexcept")?);
        } else if self.at.eat("DO") {
            let child = self.expression()?;
            self.at.expect("E")?;
            let prec = Prec::Primary;
            exceptions = Some(self.add(Node::Enclosed {
                prefix: "noexcept",
                child,
                prec,
            })?);
        } else if self.at.eat("Dw") {
            let types = self.list_until("E", Self::ty)?;
            let child = self.add(Node::ArgPack(types))?;
            let prec = Prec::Primary;
            exceptions = Some(self.add(Node::Enclosed {
                prefix: "throw",
                child,
                prec,
            })?);
        }
        // Transaction-safe; extern "C".
        self.at.eat("Dx");
        self.at.expect("F")?;
        self.at.eat("Y");
        let returns = self.ty()?;
        let start = self.stack.len();
        let ref_qual = loop {
            if self.at.eat("E") {
                break RefQual::None;
            } else if self.at.eat("RE") {
                break RefQual::LValue;
            } else if self.at.eat("OE") {
                break RefQual::RValue;
            } else if !self.at.eat("v") {
                let param = self.ty()?;
                self.stack.push(param);
            }
        };
        let params = self.list_from(start)?;
        self.add(Node::Function {
            returns,
            params,
            quals,
            ref_qual,
            exceptions,
        })
    }
}

/// Whether a type becomes a substitution.
enum Put {
    In(Id),
    Not(Id),
}
