//! Finds the paths in a source file: each path of its `use` items, and those in its code.

use super::tokens::{self, Token};

/// A path as written in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    /// Its segments, such as `super`, `text`, `Word`; a glob import ends in `*`.
    pub(super) words: Vec<String>,
    /// The line number, from 1.
    pub(super) line: usize,
    /// The inline modules that contain it, outermost first.
    pub(super) within: Vec<String>,
    /// The name that a `use` item binds.
    pub(super) binds: Option<String>,
}

/// Returns the paths of a source, without those only for tests.
pub(super) fn of_source(source: &str) -> Vec<Path> {
    let mut found = Paths::default();
    let tokens = tokens::of_source(source);
    let mut at = 0;
    while at < tokens.len() {
        at = found.take(&tokens, at);
    }
    found.paths
}

#[derive(Debug, Default)]
struct Paths {
    paths: Vec<Path>,
    /// For each open brace, the module that it opens, if any.
    braces: Vec<Option<String>>,
}

impl Paths {
    /// Parses the item at a position, and returns the position after it.
    fn take(&mut self, tokens: &[Token], at: usize) -> usize {
        match &tokens[at..] {
            [word, name, open, ..] if word.is("mod") && open.is("{") => {
                self.braces.push(Some(name.text.clone()));
                at + 3
            }
            [open, ..] if open.is("{") => {
                self.braces.push(None);
                at + 1
            }
            [close, ..] if close.is("}") => {
                self.braces.pop();
                at + 1
            }
            // `pub(in crate::a)` is a visibility, not an import.
            [public, open, ..] if public.is("pub") && open.is("(") => {
                let close = tokens[at..].iter().position(|token| token.is(")"));
                close.map_or(tokens.len(), |close| at + close + 1)
            }
            // `use<'a>` is a bound.
            [word, next, ..] if word.is("use") && !next.is("<") => {
                self.tree(tokens, at + 1, &mut Vec::new())
            }
            [word, sign, ..] if word.is_word() && sign.is("::") => self.path(tokens, at),
            _ => at + 1,
        }
    }

    fn push(&mut self, words: Vec<String>, line: usize, binds: Option<String>) {
        let within = self.braces.iter().flatten().cloned().collect();
        self.paths.push(Path {
            words,
            line,
            within,
            binds,
        });
    }

    /// Parses a path in code.
    fn path(&mut self, tokens: &[Token], start: usize) -> usize {
        let mut words = vec![tokens[start].text.clone()];
        let mut at = start + 1;
        while let [sign, word, ..] = &tokens[at..]
            && sign.is("::")
            && word.is_word()
        {
            words.push(word.text.clone());
            at += 2;
        }
        // After `::`, `.` or `<T>::`, it is the rest of another path.
        let before = start.checked_sub(1).map(|before| &tokens[before]);
        if !before.is_some_and(|token| token.is("::") || token.is(".")) {
            self.push(words, tokens[start].line, None);
        }
        at
    }

    /// Parses a `use` tree, or a branch of one after the segments before it.
    fn tree(&mut self, tokens: &[Token], start: usize, before: &mut Vec<String>) -> usize {
        let height = before.len();
        let mut at = start;
        let mut line = tokens.get(at).map_or(0, |token| token.line);
        let mut alias = None;
        let mut is_branched = false;
        while let Some(token) = tokens.get(at) {
            match token.text.as_str() {
                "{" => {
                    is_branched = true;
                    at += 1;
                    while (tokens.get(at)).is_some_and(|token| !token.is("}") && !token.is(";")) {
                        at = self.tree(tokens, at, before);
                        at += usize::from(tokens.get(at).is_some_and(|token| token.is(",")));
                    }
                }
                "}" | "," | ";" => break,
                "as" => {
                    at += 1;
                    alias = tokens.get(at).map(|token| token.text.clone());
                }
                "::" => {}
                word => {
                    line = token.line;
                    before.push(word.to_owned());
                }
            }
            at += 1;
        }
        if !is_branched && before.len() > height {
            let mut words = before.clone();
            // `use a::{self}` is `use a`.
            if words.len() > 1 && words.last().is_some_and(|last| last == "self") {
                words.pop();
            }
            let binds = alias.or_else(|| words.last().cloned());
            self.push(words, line, binds);
        }
        before.truncate(height);
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(source: &str) -> Vec<String> {
        let paths = of_source(source).into_iter();
        paths
            .map(|path| format!("{}:{}", path.line, path.words.join("::")))
            .collect()
    }

    #[test]
    fn each_leaf_of_a_use_is_a_path() {
        let source = "use a::b;\npub(crate) use c::{d::{self, e as f},\n g, h::*};\nuse {i, j::k};";
        let want = [
            "1:a::b",
            "2:c::d",
            "2:c::d::e",
            "3:c::g",
            "3:c::h::*",
            "4:i",
            "4:j::k",
        ];
        assert_eq!(of(source), want);
        let binds: Vec<_> = of_source(source).into_iter().map(|it| it.binds).collect();
        let names = ["b", "d", "f", "g", "*", "i", "k"];
        assert_eq!(binds, names.map(|name| Some(name.to_owned())));
    }

    #[test]
    fn paths_in_code_are_found_whole() {
        let source = "fn f() -> crate::a::B { <T>::g(); super::h!(); x.y::<Z>(); c::D::<E>::new() }\n\
                      pub(in crate::i) struct J;\nfn k() -> impl L + use<'_> {}";
        assert_eq!(of(source), ["1:crate::a::B", "1:super::h", "1:c::D"]);
    }

    #[test]
    fn an_inline_module_is_recorded() {
        let source = "mod a { fn f() { super::b(); } mod c { use super::super::d; } }\nuse e::f;";
        let within: Vec<String> = of_source(source)
            .into_iter()
            .map(|path| path.within.join("::"))
            .collect();
        assert_eq!(within, ["a", "a::c", ""]);
    }
}
