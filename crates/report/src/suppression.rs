//! Suppression comments: `racewalk: ignore[rule, rule] reason`.

/// What a suppression comment says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Suppression {
    /// The rules that it names.
    pub rules: Vec<String>,
    /// It says why.
    pub has_reason: bool,
    /// What is wrong with its form.
    pub problem: Option<&'static str>,
}

const MARK: &str = "racewalk:";

/// Reads a comment's text; nothing when it is no suppression.
pub fn parse_suppression(comment: &str) -> Option<Suppression> {
    let (_, directive) = comment.split_once(MARK)?;
    let rest = directive.trim_start().strip_prefix("ignore")?;
    // `ignored-context: …` and the like are other words.
    if rest.starts_with(|next: char| next.is_alphanumeric() || next == '_' || next == '-') {
        return None;
    }
    let Some((list, reason)) = rest.trim_start().strip_prefix('[').and_then(|rest| rest.split_once(']')) else {
        let problem = Some("name the rules in brackets: `racewalk: ignore[rule] reason`");
        return Some(Suppression { problem, ..Suppression::default() });
    };
    let rules: Vec<String> =
        list.split(',').map(str::trim).filter(|rule| !rule.is_empty()).map(str::to_owned).collect();
    let problem = rules.is_empty().then_some("it names no rule: `racewalk: ignore[rule] reason`");
    let has_reason = reason.chars().any(char::is_alphanumeric);
    Some(Suppression { rules, has_reason, problem })
}

#[cfg(test)]
mod tests {
    use super::parse_suppression;

    #[test]
    fn rules_and_reason_are_read() {
        let found =
            parse_suppression("noqa # racewalk: ignore[blocking-call, loop/loop-per-call]: runs at start-up").unwrap();
        assert_eq!(found.rules, ["blocking-call", "loop/loop-per-call"]);
        assert!(found.has_reason && found.problem.is_none());
    }

    #[test]
    fn what_is_missing_shows() {
        assert!(!parse_suppression("racewalk: ignore[a] --").unwrap().has_reason);
        assert!(parse_suppression("racewalk: ignore because").unwrap().problem.is_some());
        assert!(parse_suppression("racewalk: ignore[] x").unwrap().problem.is_some());
        assert_eq!(parse_suppression("racewalk: ignored x"), None);
        assert_eq!(parse_suppression("racewalk: owner worker"), None);
    }
}
