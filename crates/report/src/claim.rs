//! Annotations: `racewalk: guarded-by(LOCK)` and `racewalk: owner(FUNCTION)`.

/// What an annotation claims, of the state or the function that it stands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Whoever gets there holds this lock.
    GuardedBy(Path),
    /// One task alone writes: the one that runs this function.
    Owner(Path),
    /// It is meant for one of them, and cannot be read.
    Malformed,
}

/// A dotted path, as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// Its names.
    pub names: Vec<String>,
    /// `[…]` stands behind it: it is an element of what the names lead to.
    pub is_element: bool,
    /// All of it.
    pub text: String,
}

const MARK: &str = "racewalk:";

/// Reads a comment's text; nothing when it is no annotation. What stands behind the parenthesis is for people.
pub fn parse_claim(comment: &str) -> Option<Claim> {
    let (_, said) = comment.split_once(MARK)?;
    let said = said.trim_start();
    let word = &said[..said.find(|sign: char| !is_of_word(sign)).unwrap_or(said.len())];
    let meant = word.to_lowercase();
    if !["guard", "owner", "owned"].iter().any(|begin| meant.starts_with(begin)) {
        return None;
    }
    let path = said[word.len()..].trim_start().strip_prefix('(').and_then(enclosed).and_then(path);
    Some(match (word, path) {
        ("guarded-by", Some(path)) => Claim::GuardedBy(path),
        ("owner", Some(path)) if !path.is_element => Claim::Owner(path),
        _ => Claim::Malformed,
    })
}

fn is_of_word(sign: char) -> bool {
    sign.is_alphanumeric() || sign == '_' || sign == '-'
}

/// Up to the parenthesis that closes.
fn enclosed(text: &str) -> Option<&str> {
    let mut depth = 0;
    let end = text.char_indices().find(|(_, sign)| {
        depth += i32::from(*sign == '(') - i32::from(*sign == ')');
        depth < 0
    });
    end.map(|(end, _)| &text[..end])
}

fn path(text: &str) -> Option<Path> {
    let text = text.trim();
    let (dotted, is_element) = match text.split_once('[') {
        Some((dotted, key)) => (dotted, key.ends_with(']')),
        None => (text, false),
    };
    let is_whole = is_element || !text.contains('[');
    let names: Vec<String> = dotted.split('.').map(|name| name.trim().to_owned()).collect();
    let is_name = |name: &String| {
        name.chars().all(|sign| sign.is_alphanumeric() || sign == '_') && !name.starts_with(|c: char| c.is_numeric())
    };
    let is_path = names.iter().all(|name| !name.is_empty() && is_name(name));
    (is_whole && is_path).then(|| Path { names, is_element, text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::{Claim, parse_claim};

    #[test]
    fn paths_are_read() {
        let Some(Claim::GuardedBy(path)) = parse_claim("racewalk: guarded-by(self._locks[key]) for each") else {
            panic!("a lock")
        };
        assert_eq!(path.names, ["self", "_locks"]);
        assert!(path.is_element && path.text == "self._locks[key]");
        assert!(matches!(parse_claim("racewalk: owner( worker )"), Some(Claim::Owner(path)) if path.text == "worker"));
    }

    #[test]
    fn what_is_meant_and_cannot_be_read_says_so() {
        for text in [
            "guarded-by self._lock",
            "guarded_by(self._lock)",
            "guarded-by()",
            "owner(a b)",
            "owned-by(x)",
            "owner(x[1])",
        ] {
            assert_eq!(parse_claim(&format!("racewalk: {text}")), Some(Claim::Malformed), "{text}");
        }
        assert_eq!(parse_claim("racewalk: ignore[a] owner is away"), None);
        assert_eq!(parse_claim("guarded-by(self._lock)"), None);
    }
}
