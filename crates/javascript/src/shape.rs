//! Texts that are not for reading: bundles, and nesting that no stack holds.

/// A text larger than this is generated: what people write is hundreds of times smaller.
const LARGEST: usize = 2 << 20;

/// A text with lines as long as this on average is minified, unless it is small.
const LONGEST_MEAN_LINE: usize = 500;

/// Of a text smaller than this, lines may be as long as they like.
const SMALL: usize = 16 << 10;

/// A text of which less than one byte in so many is a blank or a line break is minified, unless it is tiny. Of the JavaScript in
/// 30 Python wheels, what people wrote has one in 3 to 6, and what a bundler wrote one in 10 to 40.
const RAREST_BLANK: usize = 10;
const TINY: usize = 1 << 10;

/// The parser takes at most 4 KiB of stack for a bracket, and at most 1 KiB for an operator or a word.
const DEEPEST_BRACKETS: usize = 10_000;
const LONGEST_CHAIN: usize = 50_000;

/// Why a text is not worth parsing, when it isn't.
pub fn unreadable(text: &str) -> Option<&'static str> {
    if text.len() > LARGEST {
        return Some("larger than 2 MiB, so generated: it was left out");
    }
    let lines = text.bytes().filter(|byte| *byte == b'\n').count() + 1;
    if text.len() > SMALL && text.len() / lines > LONGEST_MEAN_LINE {
        return Some("minified, by the length of its lines: it was left out");
    }
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\t');
    if text.len() > TINY && text.bytes().filter(|byte| is_blank(byte)).count() * RAREST_BLANK < text.len() {
        return Some("minified, by its few blanks: it was left out");
    }
    is_too_deep(text.as_bytes()).then_some("nested too deeply: it was left out")
}

/// Brackets that open count wherever they stand, those that close only where they cannot be text: the depth is never taken for
/// less than it is. What nests without brackets (`!!x`, `a => b => c`, `a ? b : c ? d : e`) is parted by separators.
fn is_too_deep(text: &[u8]) -> bool {
    let (mut depth, mut chain) = (0_usize, 0_usize);
    let mut quote = None;
    let mut before = b' ';
    for &byte in text {
        match byte {
            b'\n' => quote = None,
            b'"' | b'\'' | b'`' | b'/' if quote.is_none() => quote = Some(byte),
            _ if quote == Some(byte) && before != b'\\' => quote = None,
            _ => {}
        }
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' if quote.is_none() => depth = depth.saturating_sub(1),
            b'!' | b'~' | b'+' | b'-' | b'?' | b'=' | b'<' | b'*' => chain += 1,
            _ if byte.is_ascii_alphabetic() && !before.is_ascii_alphanumeric() => chain += 1,
            _ => {}
        }
        if quote.is_none() && matches!(byte, b';' | b',' | b'{' | b'}') {
            chain = 0;
        }
        if depth > DEEPEST_BRACKETS || chain > LONGEST_CHAIN {
            return true;
        }
        before = byte;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::unreadable;

    #[test]
    fn what_people_write_is_read() {
        let line = "if (a) { b(\"it's (\"); } else { c[1] = x => x ? y : -z; } // isn't it (\n";
        assert_eq!(unreadable(&line.repeat(2_000)), None);
    }

    #[test]
    fn bundles_are_left_out() {
        let bundle = "var a=function(b){return b+1},c=a(2);".repeat(1_000);
        assert!(unreadable(&bundle).is_some_and(|why| why.contains("minified")));
        let chunks = "var a=function(b){return b+1},c=a(2);\nlet d=c*2;e(d,(f)=>f.g);\n".repeat(40);
        assert!(unreadable(&chunks).is_some_and(|why| why.contains("blanks")));
        assert_eq!(unreadable("x=1;"), None);
        assert!(unreadable(&"let a = 1;\n".repeat(200_000)).is_some_and(|why| why.contains("larger")));
    }

    #[test]
    fn what_no_stack_holds_is_left_out() {
        for nested in ["(\n", "[\n", "${\n", "!\n", "a=>\n", "x?\ny:\n", "\")\" + (\n"] {
            assert!(unreadable(&nested.repeat(60_000)).is_some(), "{nested:?}");
        }
    }
}
