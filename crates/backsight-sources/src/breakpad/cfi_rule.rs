//! One unwinding rule: how the caller's value of a register is computed.

/// How the caller's value of a register, or the canonical frame address (CFA), is
/// computed. Registers have the names of the file, such as `$rsp` on x86 and `x29` on
/// AArch64.
///
/// Source: "STACK CFI records" in Breakpad's `docs/symbol_files.md`; `.undef`, which is
/// not described there, is written by `dump_syms` of Mozilla.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CfiRule {
    /// A register of the callee, plus an offset in bytes.
    Register {
        /// The name of the register.
        register: String,
        /// The offset in bytes.
        offset: i64,
    },
    /// The CFA plus this number of bytes.
    Cfa(i64),
    /// In memory, at the CFA plus this number of bytes.
    AtCfa(i64),
    /// The value is not recoverable. For the return address: there is no caller.
    Undefined,
    /// Any other expression, as tokens that leave one value on the stack.
    Expression(Vec<CfiToken>),
}

/// A token of an expression in postfix notation. Operators take two values, except for
/// [`Deref`](Self::Deref).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CfiToken {
    /// A constant.
    Number(i64),
    /// The CFA.
    Cfa,
    /// A register of the callee.
    Register(String),
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
    /// `@`: the first, rounded down to a multiple of the second, which is a power of two.
    Align,
    /// `^`: the word in memory at the address on the stack.
    Deref,
}

/// The maximum number of tokens of an expression. Those that `dump_syms` 2.3.9 writes of x86-64
/// programs have up to 4.
const MAX_TOKENS: usize = 256;

impl CfiRule {
    /// Reads an expression.
    pub(super) fn read<'t>(text: impl Iterator<Item = &'t str>) -> Option<Self> {
        let mut tokens = Vec::new();
        for word in text {
            if word == ".undef" {
                return tokens.is_empty().then_some(Self::Undefined);
            }
            if tokens.len() >= MAX_TOKENS {
                return None;
            }
            tokens.push(CfiToken::read(word)?);
        }
        is_whole(&tokens).then(|| Self::of(tokens))
    }

    fn of(tokens: Vec<CfiToken>) -> Self {
        use CfiToken::{Add, Cfa, Deref, Number, Register, Subtract};
        let offset = |number: &i64, operator: &CfiToken| match operator {
            Add => Some(*number),
            Subtract => number.checked_neg(),
            _ => None,
        };
        let short = match tokens.as_slice() {
            [Register(name)] => Some(Self::register(name, 0)),
            [Register(name), Number(number), operator] => {
                offset(number, operator).map(|offset| Self::register(name, offset))
            }
            [Cfa] => Some(Self::Cfa(0)),
            [Cfa, Deref] => Some(Self::AtCfa(0)),
            [Cfa, Number(number), operator] => offset(number, operator).map(Self::Cfa),
            [Cfa, Number(number), operator, Deref] => offset(number, operator).map(Self::AtCfa),
            _ => None,
        };
        short.unwrap_or(Self::Expression(tokens))
    }

    fn register(name: &str, offset: i64) -> Self {
        let register = name.to_owned();
        Self::Register { register, offset }
    }
}

impl CfiToken {
    fn read(word: &str) -> Option<Self> {
        Some(match word {
            "+" => Self::Add,
            "-" => Self::Subtract,
            "*" => Self::Multiply,
            "/" => Self::Divide,
            "%" => Self::Remainder,
            "@" => Self::Align,
            "^" => Self::Deref,
            ".cfa" => Self::Cfa,
            word if is_number(word) => Self::Number(word.parse().ok()?),
            word if is_register(word) => Self::Register(word.to_owned()),
            _ => return None,
        })
    }
}

/// Returns whether the stack never underflows, and has one value at the end.
fn is_whole(tokens: &[CfiToken]) -> bool {
    let mut depth = 0_usize;
    for token in tokens {
        let taken = match token {
            CfiToken::Number(_) | CfiToken::Cfa | CfiToken::Register(_) => 0,
            CfiToken::Deref => 1,
            _ => 2,
        };
        let Some(left) = depth.checked_sub(taken) else {
            return false;
        };
        depth = left.saturating_add(1);
    }
    depth == 1
}

fn is_number(word: &str) -> bool {
    let digits = word.strip_prefix('-').unwrap_or(word);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

pub(super) fn is_register(word: &str) -> bool {
    let name = word.strip_prefix(['$', '.']).unwrap_or(word);
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !name.is_empty() && name.bytes().all(is_name)
}

#[cfg(test)]
mod tests {
    use super::{CfiRule, CfiToken};

    fn read(text: &str) -> Option<CfiRule> {
        CfiRule::read(text.split_ascii_whitespace())
    }

    #[test]
    fn the_usual_rules_are_recognized() {
        let cases = [
            ("$rsp 8 +", CfiRule::register("$rsp", 8)),
            ("$rsp -8 +", CfiRule::register("$rsp", -8)),
            ("x29", CfiRule::register("x29", 0)),
            (".cfa 8 -", CfiRule::Cfa(-8)),
            (".cfa -16 + ^", CfiRule::AtCfa(-16)),
            (".cfa ^", CfiRule::AtCfa(0)),
            (".undef", CfiRule::Undefined),
        ];
        for (text, want) in cases {
            assert_eq!(read(text), Some(want), "{text}");
        }
        let Some(CfiRule::Expression(tokens)) = read("$esp 4 + 16 @ ^") else {
            panic!("an expression");
        };
        assert_eq!(tokens.len(), 6);
        assert_eq!(tokens.last(), Some(&CfiToken::Deref));
    }

    #[test]
    fn expressions_leave_one_value() {
        let long = "1 ".repeat(300);
        for wrong in ["", "+", "1 2", "1 +", "^", "1 .undef", "1 2 & ", "$", &long] {
            assert_eq!(read(wrong), None, "{wrong:.20}");
        }
    }
}
