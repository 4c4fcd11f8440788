//! Explaining a rule, or finding the rules behind a runtime message.

use crate::Engine;
use racewalk_project::Vocabulary;
use racewalk_rules::Rule;

/// What there is to say about a name or a message.
pub enum Explanation {
    /// The rules of that name: their documentation is the explanation.
    Rules(Vec<&'static Rule>),
    /// Rules whose defects show as this message, the likeliest first, each with the symptom that matched.
    Causes(Vec<(&'static Rule, String)>),
    /// Neither a rule nor a known symptom.
    Nothing,
}

impl Engine {
    /// Explains a rule by name, or a runtime message or symptom by the rules whose defects cause it.
    pub fn explain(&self, query: &str) -> Explanation {
        let named = |rule: &&&'static Rule| Vocabulary::means(query, rule.name) && rule.question.as_str() != query;
        let rules: Vec<&'static Rule> = self.rules().iter().filter(named).copied().collect();
        if !rules.is_empty() && query != "all" {
            return Explanation::Rules(rules);
        }
        let causes = causes(self.rules(), query);
        if causes.is_empty() { Explanation::Nothing } else { Explanation::Causes(causes) }
    }
}

fn causes(rules: &[&'static Rule], query: &str) -> Vec<(&'static Rule, String)> {
    let query = normal(query);
    let mut scored: Vec<(usize, &'static Rule, String)> = Vec::new();
    for rule in rules {
        let best = symptoms(rule).into_iter().map(|symptom| (likeness(&normal(&symptom), &query), symptom));
        if let Some((score, symptom)) = best.max_by_key(|(score, _)| *score).filter(|(score, _)| *score > 0) {
            scored.push((score, rule, symptom));
        }
    }
    scored.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.name.cmp(b.1.name)));
    scored.into_iter().map(|(_, rule, symptom)| (rule, symptom)).collect()
}

/// The quoted and code texts in the bullets under `## Symptoms`.
fn symptoms(rule: &Rule) -> Vec<String> {
    let section = rule.section("Symptoms").unwrap_or_default();
    section.lines().flat_map(|line| quoted(line, '`').chain(quoted(line, '"'))).map(str::to_owned).collect()
}

fn quoted(line: &str, sign: char) -> impl Iterator<Item = &str> {
    line.split(sign).skip(1).step_by(2).filter(|text| !text.trim().is_empty())
}

fn normal(text: &str) -> String {
    text.replace("...", "…").split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// How well a message fits a symptom, in which `…` stands for anything; 0 when it does not.
fn likeness(symptom: &str, message: &str) -> usize {
    let literal: usize = symptom.split('…').map(|piece| piece.trim().len()).sum();
    if contains_in_order(symptom, message) {
        return 1000 + literal;
    }
    // A message of which only a part was typed.
    if message.len() >= 8 && symptom.contains(message) {
        return 500 + message.len();
    }
    let words: Vec<&str> = message.split_whitespace().filter(|word| word.len() > 3).collect();
    let known = words.iter().filter(|word| symptom.contains(**word)).count();
    if words.len() >= 2 && known * 3 >= words.len() * 2 { known } else { 0 }
}

fn contains_in_order(symptom: &str, message: &str) -> bool {
    let mut rest = message;
    let mut pieces = symptom.split('…').map(str::trim).filter(|piece| !piece.is_empty()).peekable();
    pieces.peek().is_some()
        && pieces.all(|piece| {
            let found = rest.find(piece);
            rest = found.map_or("", |at| &rest[at + piece.len()..]);
            found.is_some()
        })
}

#[cfg(test)]
mod tests {
    use super::{likeness, normal};

    #[test]
    fn an_ellipsis_stands_for_anything() {
        let symptom = normal("coroutine '...' was never awaited");
        assert!(likeness(&symptom, &normal("RuntimeWarning: coroutine 'fetch' was never awaited")) > 1000);
        assert!(likeness(&symptom, "was never awaited") > 500);
        assert_eq!(likeness(&symptom, "task was destroyed but it is pending"), 0);
    }
}
