//! Counts words: collections, closures, formatting and generics, all inlined
//! into each other.

use std::collections::{BTreeMap, HashMap};

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Token {
    Word(String),
    Number(u64),
}

fn tokens(text: &str) -> impl Iterator<Item = Token> + '_ {
    text.split_whitespace().map(|word| match word.parse() {
        Ok(number) => Token::Number(number),
        Err(_) => Token::Word(word.to_lowercase()),
    })
}

fn main() {
    let text = std::env::args().collect::<Vec<_>>().join(" ");
    let mut counts: HashMap<Token, usize> = HashMap::new();
    for token in tokens(&text) {
        *counts.entry(token).or_default() += 1;
    }
    let sorted: BTreeMap<_, _> = counts.into_iter().collect();
    let mut shown: Vec<String> = sorted.iter().map(|(token, n)| format!("{token:?} {n}")).collect();
    shown.sort_by_key(|line| std::cmp::Reverse(line.len()));
    println!("{}", shown.join("\n"));
}
