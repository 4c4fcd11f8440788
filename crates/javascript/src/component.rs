//! Scripts inside of components (`.vue`, `.svelte`).

use crate::Syntax;

/// The text with everything but its scripts blanked out, so that all offsets and lines stay what they are, and the grammar of
/// the scripts.
pub(crate) fn scripts(text: &str) -> (String, Syntax) {
    let mut kept = vec![b' '; text.len()];
    for (at, byte) in text.bytes().enumerate() {
        if byte == b'\n' || byte == b'\r' {
            kept[at] = byte;
        }
    }
    let mut syntax = Syntax::JavaScriptModule;
    let mut from = 0;
    while let Some(script) = next_script(text, from) {
        kept[script.start..script.end].copy_from_slice(&text.as_bytes()[script.start..script.end]);
        if script.is_typed {
            syntax = Syntax::TypeScript;
        }
        from = script.end;
    }
    (String::from_utf8(kept).expect("scripts are whole parts of a text, and the rest is blanks"), syntax)
}

struct Script {
    start: usize,
    end: usize,
    is_typed: bool,
}

fn next_script(text: &str, from: usize) -> Option<Script> {
    const OPENING: &str = "<script";
    const CLOSING: &str = "</script";
    let opening = from + text[from..].find(OPENING)?;
    let attributes = &text[opening + OPENING.len()..];
    let end_of_tag = attributes.find('>')?;
    let start = opening + OPENING.len() + end_of_tag + 1;
    let end = text[start..].find(CLOSING).map_or(text.len(), |length| start + length);
    let attributes = &attributes[..end_of_tag];
    let is_typed =
        ["\"ts\"", "'ts'", "\"typescript\"", "\"tsx\"", "lang=ts"].iter().any(|lang| attributes.contains(lang));
    Some(Script { start, end, is_typed })
}

#[cfg(test)]
mod tests {
    use super::scripts;
    use crate::Syntax;

    #[test]
    fn everything_stays_where_it_stands() {
        let text =
            "<template>é{{ a }}</template>\n<script setup lang=\"ts\">\nconst a = 1;\n</script>\n<script>b()</script>";
        let (kept, syntax) = scripts(text);
        assert_eq!(kept.len(), text.len());
        assert_eq!(kept.find("const a"), text.find("const a"));
        assert_eq!(kept.find("b()"), text.find("b()"));
        assert_eq!(kept.lines().count(), text.lines().count());
        assert!(!kept.contains('<'));
        assert_eq!(syntax, Syntax::TypeScript);
    }

    #[test]
    fn a_script_without_an_end_goes_to_the_end() {
        assert_eq!(scripts("<script>a()").0.trim(), "a()");
        assert_eq!(scripts("<script").0.trim(), "");
    }
}
