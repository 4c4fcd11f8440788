//! Fenced code blocks of Markdown.

/// A fenced code block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block<'a> {
    /// What stands behind the opening fence.
    pub info: &'a str,
    /// The line of the opening fence, from 1; the code starts on the next.
    pub fence_line: u32,
    /// How many blanks the fence is indented by; as many are taken off its lines.
    pub indent: usize,
    /// The code.
    pub text: String,
}

impl Block<'_> {
    /// True when the block says that it is Python.
    pub fn is_python(&self) -> bool {
        self.ending() == Some("py")
    }

    /// The usual ending of files in the language that the block says it is in.
    pub fn ending(&self) -> Option<&'static str> {
        let language = self.info.split(|c: char| c.is_whitespace() || "{},".contains(c)).find(|word| !word.is_empty());
        match language?.trim_start_matches('.').to_lowercase().as_str() {
            "python" | "py" | "python3" => Some("py"),
            "javascript" | "js" => Some("js"),
            "typescript" | "ts" => Some("ts"),
            "tsx" => Some("tsx"),
            "vue" => Some("vue"),
            "svelte" => Some("svelte"),
            "go" => Some("go"),
            _ => None,
        }
    }
}

struct Fence {
    sign: char,
    length: usize,
    indent: usize,
}

/// The code blocks of a Markdown text, in order.
pub fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    let mut open: Option<Fence> = None;
    for (index, line) in text.lines().enumerate() {
        match (&open, fence(line)) {
            (None, Some((fence, info))) if fence.sign == '~' || !info.contains('`') => {
                blocks.push(Block { info, fence_line: index as u32 + 1, indent: fence.indent, text: String::new() });
                open = Some(fence);
            }
            (Some(opened), Some((closing, ""))) if closes(opened, &closing) => open = None,
            (Some(opened), _) => {
                if let Some(block) = blocks.last_mut() {
                    block.text.push_str(without_indent(line, opened.indent));
                    block.text.push('\n');
                }
            }
            (None, _) => {}
        }
    }
    blocks
}

/// A line that opens or closes a block: its fence, and what follows.
fn fence(line: &str) -> Option<(Fence, &str)> {
    let trimmed = line.trim_start_matches(' ');
    let sign = trimmed.chars().next().filter(|first| *first == '`' || *first == '~')?;
    let rest = trimmed.trim_start_matches(sign);
    let length = trimmed.len() - rest.len();
    (length >= 3).then(|| (Fence { sign, length, indent: line.len() - trimmed.len() }, rest.trim()))
}

fn closes(opened: &Fence, closing: &Fence) -> bool {
    opened.sign == closing.sign && closing.length >= opened.length
}

fn without_indent(line: &str, indent: usize) -> &str {
    let blanks = line.len() - line.trim_start_matches(' ').len();
    &line[blanks.min(indent)..]
}

#[cfg(test)]
mod tests {
    use super::blocks;

    #[test]
    fn blocks_have_their_line_info_and_text() {
        let found = blocks("a\n```python bad\nx = 1\n```\n- b\n  ~~~py\n  y = 2\n    z\n  ~~~\n````\n```\n````\n");
        assert_eq!(found.len(), 3);
        assert_eq!((found[0].info, found[0].fence_line, found[0].text.as_str()), ("python bad", 2, "x = 1\n"));
        assert_eq!((found[1].indent, found[1].text.as_str()), (2, "y = 2\n  z\n"));
        assert_eq!(found[2].text, "```\n");
        assert!(found[0].is_python() && found[1].is_python() && !found[2].is_python());
    }

    #[test]
    fn an_open_block_runs_to_the_end() {
        assert_eq!(blocks("```py\nx").first().map(|block| block.text.clone()), Some("x\n".to_owned()));
    }
}
