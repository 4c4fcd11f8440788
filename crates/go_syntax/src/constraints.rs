//! Build constraints: which builds a file belongs to, by `//go:build` lines and by its name.

/// How deep parentheses may be nested, and how many tags a constraint may have.
const MAX_DEPTH: usize = 100;
const MAX_TAGS: usize = 1_000;

const SYSTEMS: &[&str] = &[
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "hurd",
    "illumos",
    "ios",
    "js",
    "linux",
    "nacl",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
    "wasip1",
    "windows",
    "zos",
];

/// The systems that the tag `unix` stands for.
const UNIX: &[&str] = &[
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "hurd",
    "illumos",
    "ios",
    "linux",
    "netbsd",
    "openbsd",
    "solaris",
];

const ARCHITECTURES: &[&str] = &[
    "386",
    "amd64",
    "amd64p32",
    "arm",
    "arm64",
    "arm64be",
    "armbe",
    "loong64",
    "mips",
    "mips64",
    "mips64le",
    "mips64p32",
    "mips64p32le",
    "mipsle",
    "ppc",
    "ppc64",
    "ppc64le",
    "riscv",
    "riscv64",
    "s390",
    "s390x",
    "sparc",
    "sparc64",
    "wasm",
];

/// A condition on the tags of a build.
///
/// ```
/// use racewalk_go_syntax::{Build, Constraint};
///
/// let constraint = Constraint::of_text(b"//go:build unix && !cgo\n\npackage p\n").expect("a constraint");
/// let build = Build { cgo: false, ..Build::default() };
/// assert!(constraint.holds(|tag| build.has(tag)));
/// assert!(!constraint.holds(|tag| Build::default().has(tag)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Constraint {
    /// The build has the tag.
    Tag(String),
    /// The condition doesn't hold.
    Not(Box<Constraint>),
    /// All of them hold.
    All(Vec<Constraint>),
    /// One of them holds.
    Any(Vec<Constraint>),
}

impl Constraint {
    /// The constraint in a file's text: its `//go:build` line before the package clause, or else its `// +build` lines.
    /// `None` if there is none, or none that is well formed.
    pub fn of_text(text: &[u8]) -> Option<Self> {
        let header = Header::of(text);
        match header.go_build {
            Some(line) => Self::parse(line),
            None => all(header.plus_build.into_iter().map(of_plus_build).collect()),
        }
    }

    /// The constraint in a file's name: `_GOOS`, `_GOARCH` or both at its end, before `_test`. Directories may be
    /// there.
    pub fn of_file_name(path: &str) -> Option<Self> {
        let name = path.rsplit('/').next()?;
        let name = name.split('.').next()?;
        let (_, words) = name.split_once('_')?;
        let mut words: Vec<&str> = words.split('_').collect();
        words.pop_if(|last| *last == "test");
        let tag = |word: &str| Self::Tag(word.to_owned());
        match words[..] {
            [.., system, arch] if SYSTEMS.contains(&system) && ARCHITECTURES.contains(&arch) => {
                Some(Self::All(vec![tag(system), tag(arch)]))
            }
            [.., word] if SYSTEMS.contains(&word) || ARCHITECTURES.contains(&word) => Some(tag(word)),
            _ => None,
        }
    }

    /// Parses what follows `//go:build`.
    ///
    /// ```ebnf
    /// Expr = And { "||" And } .
    /// And  = Not { "&&" Not } .
    /// Not  = [ "!" ] Atom .
    /// Atom = tag | "(" Expr ")" .
    /// ```
    pub fn parse(expression: &str) -> Option<Self> {
        let mut parser = Parser { rest: expression, depth: 0, tags: 0 };
        let constraint = parser.any()?;
        parser.rest.trim_start().is_empty().then_some(constraint)
    }

    /// Whether it holds for a build that has the tags that `has` says it has.
    pub fn holds(&self, has: impl Fn(&str) -> bool + Copy) -> bool {
        match self {
            Self::Tag(tag) => has(tag),
            Self::Not(inner) => !inner.holds(has),
            Self::All(parts) => parts.iter().all(|part| part.holds(has)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(has)),
        }
    }

    /// The minor version of Go that any build needs for the constraint to hold: 22 for `go1.22 && linux`. It sets the
    /// version of the language for the file.
    pub fn go_version(&self) -> Option<u32> {
        self.needed_version(false)
    }

    /// The version needed for the constraint to hold, or not to hold.
    fn needed_version(&self, negated: bool) -> Option<u32> {
        match self {
            Self::Tag(_) if negated => None,
            Self::Tag(tag) if tag == "go1" => Some(0),
            Self::Tag(tag) => tag.strip_prefix("go1.")?.parse().ok(),
            Self::Not(inner) => inner.needed_version(!negated),
            Self::All(parts) | Self::Any(parts) => {
                let versions = parts.iter().map(|part| part.needed_version(negated));
                // `None` is less than any version.
                if matches!(self, Self::All(_)) == negated { versions.min()? } else { versions.max()? }
            }
        }
    }
}

/// All of several constraints, if there is one.
fn all(mut constraints: Vec<Constraint>) -> Option<Constraint> {
    if constraints.len() > 1 { Some(Constraint::All(constraints)) } else { constraints.pop() }
}

/// One of several constraints, if there is one.
fn any(mut constraints: Vec<Constraint>) -> Option<Constraint> {
    if constraints.len() > 1 { Some(Constraint::Any(constraints)) } else { constraints.pop() }
}

/// The old form: words of which one has to hold, each of parts with commas of which all have to.
fn of_plus_build(line: &str) -> Constraint {
    let part = |part: &str| match part.strip_prefix('!') {
        Some(tag) => Constraint::Not(Box::new(Constraint::Tag(tag.to_owned()))),
        None => Constraint::Tag(part.to_owned()),
    };
    let word = |word: &str| all(word.split(',').map(part).collect());
    any(line.split_whitespace().filter_map(word).collect()).unwrap_or(Constraint::Any(Vec::new()))
}

/// Whether a file with this name belongs to a build.
///
/// ```
/// use racewalk_go_syntax::{Build, file_name_matches};
///
/// assert!(file_name_matches("poll_linux_test.go", &Build::default()));
/// assert!(!file_name_matches("poll_windows.go", &Build::default()));
/// assert!(file_name_matches("windows.go", &Build::default()));
/// ```
pub fn file_name_matches(path: &str, build: &Build) -> bool {
    Constraint::of_file_name(path).is_none_or(|constraint| constraint.holds(|tag| build.has(tag)))
}

/// A build, by what decides which tags it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Build {
    /// The operating system, as in `GOOS`.
    pub os: String,
    /// The architecture, as in `GOARCH`.
    pub arch: String,
    /// Whether C may be called.
    pub cgo: bool,
    /// The minor version of Go: 27 for Go 1.27.
    pub go_version: u32,
    /// Further tags.
    pub tags: Vec<String>,
}

impl Default for Build {
    /// Linux on amd64 with cgo and the newest Go that the parser knows.
    fn default() -> Self {
        Self { os: "linux".to_owned(), arch: "amd64".to_owned(), cgo: true, go_version: 27, tags: Vec::new() }
    }
}

impl Build {
    /// Whether the build has a tag.
    pub fn has(&self, tag: &str) -> bool {
        let os = self.os.as_str();
        match tag {
            "cgo" => self.cgo,
            "gc" => true,
            "unix" => UNIX.contains(&os),
            "linux" if os == "android" => true,
            "solaris" if os == "illumos" => true,
            "darwin" if os == "ios" => true,
            _ if tag == os || tag == self.arch => true,
            _ => match tag.strip_prefix("go1.").and_then(|minor| minor.parse::<u32>().ok()) {
                Some(minor) => (1..=self.go_version).contains(&minor),
                None => self.tags.iter().any(|own| own == tag),
            },
        }
    }
}

/// The constraints' lines in what stands before the package clause.
struct Header<'a> {
    go_build: Option<&'a str>,
    plus_build: Vec<&'a str>,
}

impl<'a> Header<'a> {
    fn of(text: &'a [u8]) -> Self {
        let mut header = Header { go_build: None, plus_build: Vec::new() };
        // `// +build` lines count before the last empty line of the comments with which a file begins.
        let (mut pending, mut only_lines, mut in_comment) = (Vec::new(), true, false);
        for line in text.split(|&byte| byte == b'\n') {
            let mut line = line.trim_ascii();
            if line.is_empty() && only_lines {
                header.plus_build.append(&mut pending);
            }
            only_lines &= line.is_empty() || line.starts_with(b"//");
            if !in_comment && line.starts_with(b"//") {
                if header.go_build.is_none() {
                    header.go_build = after(line, b"//go:build");
                }
                pending.extend(line.strip_prefix(b"//").and_then(|line| after(line.trim_ascii_start(), b"+build")));
            }
            while !line.is_empty() {
                if in_comment {
                    let Some(end) = memchr::memmem::find(line, b"*/") else { break };
                    (in_comment, line) = (false, line[end + 2..].trim_ascii_start());
                } else if line.starts_with(b"//") {
                    break;
                } else if let Some(rest) = line.strip_prefix(b"/*") {
                    (in_comment, line) = (true, rest);
                } else {
                    return header;
                }
            }
        }
        header
    }
}

/// What stands behind a prefix and a blank.
fn after<'a>(line: &'a [u8], prefix: &[u8]) -> Option<&'a str> {
    let rest = line.strip_prefix(prefix)?;
    let is_word_end = rest.first().is_none_or(u8::is_ascii_whitespace);
    str::from_utf8(rest).ok().filter(|_| is_word_end).map(str::trim)
}

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
    tags: usize,
}

impl Parser<'_> {
    fn eat(&mut self, token: &str) -> bool {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn any(&mut self) -> Option<Constraint> {
        let mut parts = vec![self.all()?];
        while self.eat("||") {
            parts.push(self.all()?);
        }
        any(parts)
    }

    fn all(&mut self) -> Option<Constraint> {
        let mut parts = vec![self.not()?];
        while self.eat("&&") {
            parts.push(self.not()?);
        }
        all(parts)
    }

    fn not(&mut self) -> Option<Constraint> {
        if self.eat("!") { Some(Constraint::Not(Box::new(self.atom()?))) } else { self.atom() }
    }

    fn atom(&mut self) -> Option<Constraint> {
        if self.eat("(") {
            self.depth += 1;
            let inner = if self.depth <= MAX_DEPTH { self.any()? } else { return None };
            self.depth -= 1;
            return self.eat(")").then_some(inner);
        }
        self.tags += 1;
        let is_tag = |character: char| character.is_alphanumeric() || matches!(character, '_' | '.');
        let len = self.rest.find(|character| !is_tag(character)).unwrap_or(self.rest.len());
        let (tag, rest) = self.rest.split_at(len);
        self.rest = rest;
        (len > 0 && self.tags <= MAX_TAGS).then(|| Constraint::Tag(tag.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(expression: &str, tags: &[&str]) -> Option<bool> {
        Some(Constraint::parse(expression)?.holds(|tag| tags.contains(&tag)))
    }

    #[test]
    fn expressions() {
        assert_eq!(holds("a || b && c", &["a"]), Some(true));
        assert_eq!(holds("(a || b) && c", &["a"]), Some(false));
        assert_eq!(holds("!a && !(b || c)", &["d"]), Some(true));
        assert_eq!(holds("go1.22&&x.y_z", &["go1.22", "x.y_z"]), Some(true));
        for wrong in ["", "a b", "a &&", "(a", "a)", "!!a", "a & b", "|| a", "a,b", &"(".repeat(5_000)] {
            assert_eq!(holds(wrong, &[]), None, "{wrong:.20}");
        }
        assert_eq!(holds(&vec!["a"; MAX_TAGS].join("||"), &["a"]), Some(true));
        assert_eq!(holds(&vec!["a"; MAX_TAGS + 1].join("||"), &["a"]), None);
    }

    #[test]
    fn lines_before_the_package_clause() {
        let of = |text: &str| Constraint::of_text(text.as_bytes());
        let tag = |tag: &str| Constraint::Tag(tag.to_owned());
        assert_eq!(of("// words\n\n//go:build a\npackage p"), Some(tag("a")));
        assert_eq!(of("/* x\n//go:build a\n*/ //go:build b\npackage p"), None);
        assert_eq!(of("/* x */\n//go:build b\n\npackage p"), Some(tag("b")));
        assert_eq!(of("package p\n//go:build a\n"), None);
        assert_eq!(of("//go:builder a\n\npackage p"), None);
        assert_eq!(
            of("// +build a,!b c\n// +build d\n\npackage p").map(|c| c.holds(|tag| "ad".contains(tag))),
            Some(true)
        );
        assert_eq!(
            of("// +build a,!b c\n// +build d\n\npackage p").map(|c| c.holds(|tag| "abd".contains(tag))),
            Some(false)
        );
        assert_eq!(of("// +build a\npackage p"), None, "no empty line behind it");
        assert_eq!(of("//go:build a\n// +build b\n\npackage p"), Some(tag("a")));
    }

    #[test]
    fn names() {
        let matches = |name: &str, os: &str, arch: &str| {
            file_name_matches(name, &Build { os: os.to_owned(), arch: arch.to_owned(), ..Build::default() })
        };
        assert!(matches("a/linux/x_linux_arm64.go", "linux", "arm64"));
        assert!(!matches("x_linux_arm64.go", "linux", "amd64"));
        assert!(!matches("x_linux_arm64_test.go", "darwin", "arm64"));
        assert!(matches("x_linux.go", "android", "arm64") && matches("x_unix.go", "windows", "386"));
        assert!(matches("linux.go", "windows", "386") && matches("x_arm64_linux_test.go", "linux", "amd64"));
    }

    #[test]
    fn versions() {
        let version = |expression: &str| Constraint::parse(expression).and_then(|parsed| parsed.go_version());
        assert_eq!(version("linux && go1.22"), Some(22));
        assert_eq!(version("(linux && go1.22) || (windows && go1.20)"), Some(20));
        assert_eq!((version("linux"), version("linux || go1.22"), version("!go1.22")), (None, None, None));
        assert_eq!((version("!(!go1.22)"), version("go1")), (Some(22), Some(0)));
        assert!(Build::default().has("go1.27") && !Build::default().has("go1.28"));
    }
}
