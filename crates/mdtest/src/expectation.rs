//! `# expect: rule (what must hold) "part of the message", rule`.

use racewalk_engine::report::Finding;

/// Behind a comment sign, whatever the language's is.
const MARKS: [&str; 2] = ["# expect:", "// expect:"];

/// A finding that must be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expectation {
    /// As it is written.
    pub(crate) text: String,
    pub(crate) rule: String,
    conditions: Vec<String>,
    message: Option<String>,
}

/// A line's code, and what is expected on it.
pub(crate) fn split(line: &str) -> Result<(&str, Vec<Expectation>), String> {
    let Some((code, _, list)) = marked(line) else { return Ok((line, Vec::new())) };
    let expected = entries(list).into_iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    if expected.is_empty() {
        return Err("nothing is expected behind `expect:`".to_owned());
    }
    Ok((code.trim_end(), expected))
}

/// A line with these expectations instead of its own.
pub(crate) fn join(line: &str, expected: &[String]) -> String {
    let (code, mark) = marked(line).map_or((line, MARKS[0]), |(code, mark, _)| (code.trim_end(), mark));
    if expected.is_empty() { code.to_owned() } else { format!("{code}  {mark} {}", expected.join(", ")) }
}

/// A line's code, the mark in it, and what stands behind that.
fn marked(line: &str) -> Option<(&str, &'static str, &str)> {
    MARKS.iter().find_map(|mark| line.split_once(mark).map(|(code, list)| (code, *mark, list)))
}

/// Splits at commas outside quotes and parentheses.
fn entries(list: &str) -> Vec<&str> {
    let (mut quoted, mut depth, mut start) = (false, 0_i32, 0);
    let mut out = Vec::new();
    for (index, sign) in list.char_indices() {
        match sign {
            '"' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth -= 1,
            ',' if !quoted && depth == 0 => {
                out.push(list[start..index].trim());
                start = index + 1;
            }
            _ => {}
        }
    }
    out.push(list[start..].trim());
    out.retain(|entry| !entry.is_empty());
    out
}

fn parse(entry: &str) -> Result<Expectation, String> {
    let (head, message) = match entry.split_once('"') {
        Some((head, rest)) => (head, Some(rest.strip_suffix('"').ok_or("a quote is not closed")?.to_owned())),
        None => (entry, None),
    };
    let (rule, conditions) = match head.split_once('(') {
        Some((rule, rest)) => (rule, rest.trim_end().strip_suffix(')').ok_or("a parenthesis is not closed")?),
        None => (head, ""),
    };
    let conditions = conditions.split(',').map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned).collect();
    Ok(Expectation { text: entry.to_owned(), rule: rule.trim().to_owned(), conditions, message })
}

impl Expectation {
    /// What the finding lacks; none when it is as expected.
    pub(crate) fn lacks(&self, finding: &Finding) -> Option<String> {
        if finding.rule != self.rule && short_name(&finding.rule) != self.rule {
            return Some("another rule".to_owned());
        }
        if let Some(part) = self.message.as_ref().filter(|part| !finding.message.contains(*part)) {
            return Some(format!("its message has no {part:?}: {}", finding.message));
        }
        self.conditions
            .iter()
            .find(|condition| !holds(finding, condition))
            .map(|condition| format!("it is not `{condition}`"))
    }
}

fn holds(finding: &Finding, condition: &str) -> bool {
    match condition {
        "chain" => !finding.chain.is_empty(),
        "related" => !finding.related.is_empty(),
        _ => match condition.strip_prefix("note ") {
            Some(kind) => finding.notes.iter().any(|note| note.kind == kind),
            None => condition == finding.severity.as_str() || condition == finding.confidence.as_str(),
        },
    }
}

/// How a finding is written as an expectation.
pub(crate) fn written(finding: &Finding) -> String {
    let rule = short_name(&finding.rule);
    if finding.confidence.as_str() == "possible" { format!("{rule} (possible)") } else { rule.to_owned() }
}

fn short_name(rule: &str) -> &str {
    rule.rsplit_once('/').map_or(rule, |(_, short)| short)
}

#[cfg(test)]
mod tests {
    use super::{join, split};

    #[test]
    fn entries_have_conditions_and_messages() {
        let (code, expected) = split("f()  # expect: a (error, note sibling) \"x, y\", b").unwrap();
        assert_eq!(code, "f()");
        assert_eq!(expected.len(), 2);
        assert_eq!(expected[0].conditions, ["error", "note sibling"]);
        assert_eq!(expected[0].message.as_deref(), Some("x, y"));
        assert_eq!(expected[1].rule, "b");
    }

    #[test]
    fn mistakes_are_told() {
        assert!(split("# expect:").is_err());
        assert!(split("# expect: a (b").is_err());
        assert!(split("# expect: a \"b").is_err());
    }

    #[test]
    fn lines_are_rewritten() {
        assert_eq!(join("f()  # expect: a", &["b".to_owned()]), "f()  # expect: b");
        assert_eq!(join("f()  # expect: a", &[]), "f()");
    }
}
