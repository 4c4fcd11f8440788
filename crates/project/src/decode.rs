//! Bytes to text, as Python decodes its sources: UTF-8, or what the first two lines declare (PEP 263).

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

/// Decodes a source file; a byte order mark is taken off.
pub(crate) fn decode(bytes: Vec<u8>) -> Result<String, String> {
    if bytes.len() > u32::MAX as usize {
        return Err("larger than 4 GiB".to_owned());
    }
    let marked = bytes.starts_with(b"\xef\xbb\xbf");
    match declared(&bytes).map(encoding) {
        Some(encoding) if !marked => decode_as(encoding?, bytes),
        _ => from_utf8(bytes, marked),
    }
}

fn from_utf8(mut bytes: Vec<u8>, marked: bool) -> Result<String, String> {
    if marked {
        bytes.drain(..3);
    }
    String::from_utf8(bytes).map_err(|error| {
        let line = 1 + error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|b| **b == b'\n').count();
        format!("not UTF-8 (line {line}), and no other encoding is declared")
    })
}

fn decode_as(encoding: &'static Encoding, bytes: Vec<u8>) -> Result<String, String> {
    if encoding == UTF_8 {
        return from_utf8(bytes, false);
    }
    let (text, _, broken) = encoding.decode(&bytes);
    if broken {
        return Err(format!("not valid {}, the encoding that it declares", encoding.name()));
    }
    Ok(text.into_owned())
}

/// The encoding that Python means by a name.
fn encoding(label: &str) -> Result<&'static Encoding, String> {
    let plain = label.to_ascii_lowercase().replace('_', "-");
    let encoding = match plain.as_str() {
        "utf8" | "utf-8" | "utf-8-sig" | "u8" => Some(UTF_8),
        // Python's Latin-1 and ASCII agree with this one where they have characters that matter to a parser.
        "latin-1" | "latin1" | "iso-8859-1" | "l1" | "ascii" | "us-ascii" | "cp1252" => Some(WINDOWS_1252),
        _ => Encoding::for_label_no_replacement(plain.as_bytes()),
    };
    encoding.ok_or_else(|| format!("unknown encoding `{label}`"))
}

/// The encoding that one of the first two lines declares.
fn declared(bytes: &[u8]) -> Option<&str> {
    for line in bytes.split(|byte| *byte == b'\n').take(2) {
        let line = line.trim_ascii();
        if !line.is_empty() && !line.starts_with(b"#") {
            return None;
        }
        if let Some(label) = cookie(line) {
            return Some(label);
        }
    }
    None
}

/// `coding: NAME` or `coding=NAME` in a comment.
fn cookie(comment: &[u8]) -> Option<&str> {
    let at = comment.windows(6).position(|window| window == b"coding")?;
    let rest =
        comment[at + 6..].strip_prefix(b":").or_else(|| comment[at + 6..].strip_prefix(b"="))?.trim_ascii_start();
    let len = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte)).count();
    std::str::from_utf8(&rest[..len]).ok().filter(|label| !label.is_empty())
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn utf8_is_the_default_and_its_mark_goes() {
        assert_eq!(decode(b"\xef\xbb\xbfx = 1\n".to_vec()), Ok("x = 1\n".to_owned()));
        assert_eq!(decode("é".into()), Ok("é".to_owned()));
    }

    #[test]
    fn a_declared_encoding_is_used() {
        assert_eq!(
            decode(b"# -*- coding: latin-1 -*-\n# \xe9".to_vec()),
            Ok("# -*- coding: latin-1 -*-\n# é".to_owned())
        );
        assert_eq!(
            decode(b"#!x\n# vim: set fileencoding=iso-8859-15 :\n'\xa4'".to_vec()).map(|t| t.ends_with("'€'")),
            Ok(true)
        );
    }

    #[test]
    fn what_cannot_be_decoded_says_why() {
        assert_eq!(
            decode(b"a\n\xe9".to_vec()),
            Err("not UTF-8 (line 2), and no other encoding is declared".to_owned())
        );
        assert_eq!(decode(b"# coding: klingon\n".to_vec()), Err("unknown encoding `klingon`".to_owned()));
    }

    #[test]
    fn a_declaration_after_code_is_none() {
        assert!(decode(b"x = 1\n# coding: klingon\n".to_vec()).is_ok());
    }
}
