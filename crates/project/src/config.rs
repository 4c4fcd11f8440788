//! Configuration: `racewalk.toml`, or `[tool.racewalk]` in `pyproject.toml`.

use crate::disk::Disk;
use crate::globs::Globs;
use crate::nearest::did_you_mean;
use crate::toml_reader::{Document, Value};
use racewalk_report::Severity;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// What a configuration file says.
#[derive(Clone, Debug, Default, Hash)]
pub struct Config {
    /// Rules to run instead of the default ones.
    pub select: Vec<String>,
    /// Rules not to run.
    pub ignore: Vec<String>,
    /// Severities that differ from the rules' own.
    pub severity: Vec<(String, Severity)>,
    /// Settings for some paths.
    pub per_path: Vec<PerPath>,
    /// Files and directories to leave out.
    pub exclude: Globs,
    /// The Python version that the project runs on.
    pub python_version: Option<(u8, u8)>,
    /// Further model files, absolute.
    pub models: Vec<PathBuf>,
    /// Which findings make the check fail.
    pub fail_on: Option<FailOn>,
    /// How code is run to prove findings.
    pub prove: Prove,
}

/// How code is run to prove findings.
#[derive(Clone, Debug, Default, Hash)]
pub struct Prove {
    /// Milliseconds for the search of one finding.
    pub budget: Option<u64>,
    /// What the user says about the code, `KEY=VALUE`, each with the symbol that it is said of: empty for all.
    pub hints: Vec<(String, String)>,
}

/// Settings for the files that match.
#[derive(Clone, Debug, Hash)]
pub struct PerPath {
    /// Which files.
    pub paths: Globs,
    /// Rules to run besides.
    pub select: Vec<String>,
    /// Rules not to run.
    pub ignore: Vec<String>,
}

/// The least severity that makes a check fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailOn {
    /// This one and worse.
    AtLeast(Severity),
    /// None.
    Never,
}

impl FailOn {
    /// The names, in order.
    pub const NAMES: [&str; 4] = ["hint", "warning", "error", "never"];

    /// By name.
    ///
    /// # Errors
    /// Says what the names are.
    pub fn named(name: &str) -> Result<Self, String> {
        match name {
            "never" => Ok(Self::Never),
            _ => severity(name).map(Self::AtLeast).map_err(|_| unknown("severity", name, &Self::NAMES)),
        }
    }

    /// True when a finding of this severity makes the check fail.
    pub fn fails(self, severity: Severity) -> bool {
        matches!(self, Self::AtLeast(least) if severity >= least)
    }
}

/// The names of rules that selections may use.
#[derive(Clone, Debug, Default)]
pub struct Vocabulary {
    names: Vec<String>,
}

impl Vocabulary {
    /// From the rules' full names: those, their short names, their questions, and `all`.
    pub fn new<'a>(rules: impl IntoIterator<Item = &'a str>) -> Self {
        let mut names = vec!["all".to_owned()];
        for rule in rules {
            let parts = rule.split_once('/');
            names.extend(parts.map(|(question, _)| question.to_owned()));
            names.extend(parts.map(|(_, short)| short.to_owned()));
            names.push(rule.to_owned());
        }
        names.sort();
        names.dedup();
        Self { names }
    }

    /// Whether the name says which rules are meant.
    ///
    /// # Errors
    /// Names the nearest that does.
    pub fn check(&self, name: &str) -> Result<(), String> {
        if self.names.iter().any(|known| known == name) {
            return Ok(());
        }
        Err(format!("unknown rule `{name}`{}", did_you_mean(name, self.names.iter().map(String::as_str))))
    }

    /// True when `selector` (a full name, a short name, a question, or `all`) means this rule.
    pub fn means(selector: &str, rule: &str) -> bool {
        selector == "all"
            || selector == rule
            || rule.split_once('/').is_some_and(|(question, short)| selector == question || selector == short)
    }
}

const KEYS: [&str; 9] =
    ["select", "ignore", "severity", "per-path", "exclude", "python-version", "models", "fail-on", "prove"];
const PER_PATH_KEYS: [&str; 3] = ["paths", "select", "ignore"];
const PROVE_KEYS: [&str; 2] = ["budget", "hints"];

/// The symbol under which hints stand that are meant for all.
const ALL_SYMBOLS: &str = "*";

/// The configuration that holds for a directory: the nearest one above it.
pub(crate) fn find(disk: &Disk, directory: &Path, vocabulary: &Vocabulary, working: &Path) -> Result<Config, String> {
    for ancestor in directory.ancestors() {
        for name in ["racewalk.toml", "pyproject.toml"] {
            let path = ancestor.join(name);
            if disk.is_file(&path)
                && let Some(config) = load(disk, &path, vocabulary, working)?
            {
                return Ok(config);
            }
        }
    }
    Ok(Config::default())
}

/// Reads a configuration file; nothing when it is a manifest without a section for us.
pub(crate) fn load(
    disk: &Disk,
    path: &Path,
    vocabulary: &Vocabulary,
    working: &Path,
) -> Result<Option<Config>, String> {
    let name = crate::paths::relative(path, working);
    let text = disk.read_text(path).map_err(|reason| format!("{name}: {reason}"))?;
    let document = Document::new(&name, &text);
    let is_manifest = path.file_name().is_some_and(|file| file == "pyproject.toml");
    if is_manifest && !text.contains("racewalk") {
        return Ok(None);
    }
    let top = document.parse()?;
    let table = if is_manifest { section(&top) } else { Some(&top) };
    let reader = Reader { vocabulary, base: path.parent().unwrap_or(working) };
    table.map(|table| reader.config(&document, table)).transpose()
}

fn section<'d, 'a>(top: &'d DeTable<'a>) -> Option<&'d DeTable<'a>> {
    top.get("tool")?.get_ref().as_table()?.get("racewalk")?.get_ref().as_table()
}

struct Reader<'v> {
    vocabulary: &'v Vocabulary,
    base: &'v Path,
}

impl Reader<'_> {
    fn config(&self, document: &Document<'_>, table: &DeTable<'_>) -> Result<Config, String> {
        let mut config = Config::default();
        document.read_table(table, &KEYS, |key, value| self.read_key(&mut config, document, key, value))?;
        Ok(config)
    }

    fn read_key<'d, 'a>(
        &self,
        config: &mut Config,
        document: &'d Document<'a>,
        key: &str,
        value: Value<'d, 'a>,
    ) -> Result<(), String> {
        match key {
            "select" => config.select = self.rules(value)?,
            "ignore" => config.ignore = self.rules(value)?,
            "severity" => config.severity = self.severities(value)?,
            "per-path" => config.per_path = self.per_path(document, value)?,
            "exclude" => config.exclude = self.globs(value)?,
            "python-version" => config.python_version = Some(python_version(value)?),
            "models" => config.models = value.strings(|path| Ok(self.base.join(path)))?,
            "prove" => config.prove = self.prove(document, value)?,
            _ => config.fail_on = Some(FailOn::named(value.string()?).map_err(|message| value.complain(&message))?),
        }
        Ok(())
    }

    fn rules(&self, value: Value<'_, '_>) -> Result<Vec<String>, String> {
        value.strings(|name| self.vocabulary.check(name).map(|()| name.to_owned()))
    }

    fn severities(&self, value: Value<'_, '_>) -> Result<Vec<(String, Severity)>, String> {
        value.entries(|rule, level| {
            self.vocabulary.check(rule)?;
            Ok((rule.to_owned(), severity(level)?))
        })
    }

    fn prove<'d, 'a>(&self, document: &'d Document<'a>, value: Value<'d, 'a>) -> Result<Prove, String> {
        let mut prove = Prove::default();
        document.read_table(value.table()?, &PROVE_KEYS, |key, value| {
            match key {
                "budget" => prove.budget = Some(value.milliseconds()?),
                _ => prove.hints = hints(value)?,
            }
            Ok(())
        })?;
        Ok(prove)
    }

    fn per_path<'d, 'a>(&self, document: &'d Document<'a>, value: Value<'d, 'a>) -> Result<Vec<PerPath>, String> {
        value.elements()?.into_iter().map(|entry| self.per_path_entry(document, entry)).collect()
    }

    fn per_path_entry<'d, 'a>(&self, document: &'d Document<'a>, entry: Value<'d, 'a>) -> Result<PerPath, String> {
        let mut paths = None;
        let (mut select, mut ignore) = (Vec::new(), Vec::new());
        document.read_table(entry.table()?, &PER_PATH_KEYS, |key, value| {
            match key {
                "paths" => paths = Some(self.globs(value)?),
                "select" => select = self.rules(value)?,
                _ => ignore = self.rules(value)?,
            }
            Ok(())
        })?;
        let paths =
            paths.ok_or_else(|| entry.complain("an entry of `per-path` needs `paths`, an array of patterns"))?;
        Ok(PerPath { paths, select, ignore })
    }

    fn globs(&self, value: Value<'_, '_>) -> Result<Globs, String> {
        let elements = value.elements()?;
        let patterns = elements.iter().map(Value::string).collect::<Result<Vec<_>, _>>()?;
        Globs::new(self.base, &patterns).map_err(|(index, message)| elements[index].complain(&message))
    }
}

/// A table from symbols to arrays of hints.
fn hints(value: Value<'_, '_>) -> Result<Vec<(String, String)>, String> {
    let mut found = Vec::new();
    for (symbol, hints) in value.members()? {
        let symbol = if symbol == ALL_SYMBOLS { "" } else { symbol };
        found.extend(hints.strings(|hint| Ok((symbol.to_owned(), hint.to_owned())))?);
    }
    Ok(found)
}

fn severity(name: &str) -> Result<Severity, String> {
    match name {
        "hint" => Ok(Severity::Hint),
        "warning" => Ok(Severity::Warning),
        "error" => Ok(Severity::Error),
        _ => Err(unknown("severity", name, &FailOn::NAMES[..3])),
    }
}

fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    let mend = did_you_mean(name, known.iter().copied());
    let mend = if mend.is_empty() { format!("; known are {}", known.join(", ")) } else { mend };
    format!("unknown {what} `{name}`{mend}")
}

fn python_version(value: Value<'_, '_>) -> Result<(u8, u8), String> {
    let text = value.string()?;
    version(text).ok_or_else(|| value.complain(&format!("`python-version` must look like \"3.12\", not {text:?}")))
}

fn version(text: &str) -> Option<(u8, u8)> {
    let mut parts = text.trim().split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.trim_end_matches('*').parse().ok()?))
}

/// The least Python version that a manifest asks for. A manifest that cannot be read is somebody else's to report.
pub(crate) fn requires_python(manifest: &str) -> Option<(u8, u8)> {
    let top = DeTable::parse(manifest).ok()?.into_inner();
    let project = lookup(&top, &["project", "requires-python"]);
    let specifier = project.or_else(|| lookup(&top, &["tool", "poetry", "dependencies", "python"]))?;
    let bounds = specifier.split(',').filter(|bound| !bound.trim_start().starts_with(['<', '!']));
    bounds.filter_map(|bound| version(bound.trim_start_matches(['>', '=', '~', '^', ' ']))).min()
}

fn lookup<'d>(top: &'d DeTable<'_>, keys: &[&str]) -> Option<&'d str> {
    let (last, tables) = keys.split_last()?;
    let table = tables.iter().try_fold(top, |table, key| table.get(*key)?.get_ref().as_table())?;
    table.get(*last).map(|value| value.get_ref()).and_then(DeValue::as_str)
}

#[cfg(test)]
mod tests {
    use super::{Config, FailOn, Severity, Vocabulary, load, requires_python};
    use crate::disk::Disk;
    use std::path::{Path, PathBuf};

    fn read(text: &str) -> Result<Config, String> {
        let path = PathBuf::from("/p/racewalk.toml");
        let disk = Disk::default().with_text(path.clone(), text.to_owned());
        let vocabulary = Vocabulary::new(["loop/blocking-call", "await/missing-await"]);
        load(&disk, &path, &vocabulary, Path::new("/p")).map(Option::unwrap_or_default)
    }

    #[test]
    fn everything_is_read() {
        let config = read(
            "select = ['loop', 'missing-await']\nfail-on = 'never'\npython-version = '3.12'\nmodels = ['m.toml']\n\
             [severity]\nblocking-call = 'hint'\n[[per-path]]\npaths = ['tests']\nignore = ['all']\n",
        );
        let config = config.unwrap();
        assert_eq!(config.select, ["loop", "missing-await"]);
        assert_eq!(config.fail_on, Some(FailOn::Never));
        assert_eq!(config.python_version, Some((3, 12)));
        assert_eq!(config.models, [PathBuf::from("/p/m.toml")]);
        assert_eq!(config.severity, [("blocking-call".to_owned(), Severity::Hint)]);
        assert!(config.per_path[0].paths.matches(Path::new("/p/a/tests/x.py")));
    }

    #[test]
    fn hints_stand_under_the_symbol_that_they_are_said_of() {
        let text = "[prove]\nbudget = 2.5\n[prove.hints]\n'*' = ['policy=store']\n'Bank.pay' = ['args.amount=5']\n";
        let prove = read(text).unwrap().prove;
        assert_eq!(prove.budget, Some(2500));
        let said = |symbol: &str, hint: &str| (symbol.to_owned(), hint.to_owned());
        assert_eq!(prove.hints, [said("", "policy=store"), said("Bank.pay", "args.amount=5")]);
        assert!(read("[prove]\nbudget = -1").unwrap_err().contains("racewalk.toml:2: `budget` must be"));
    }

    #[test]
    fn complaints_name_file_line_and_mend() {
        let complaint = |text: &str| read(text).unwrap_err();
        assert_eq!(complaint("\nselct = []"), "racewalk.toml:2: unknown key `selct`; did you mean `select`?");
        assert_eq!(
            complaint("ignore = [\n  'blocking-cal',\n]"),
            "racewalk.toml:2: unknown rule `blocking-cal`; did you mean `blocking-call`?"
        );
        assert_eq!(complaint("select = 3"), "racewalk.toml:1: `select` must be an array, not an integer");
        assert_eq!(
            complaint("[severity]\nmissing-await = 'eror'"),
            "racewalk.toml:2: unknown severity `eror`; did you mean `error`?"
        );
        assert_eq!(
            complaint("[[per-path]]\nignore = []"),
            "racewalk.toml:1: an entry of `per-path` needs `paths`, an array of patterns"
        );
        assert!(complaint("exclude = ['a[']").starts_with("racewalk.toml:1: unclosed character class"));
        assert!(complaint("select = [").starts_with("racewalk.toml:1: "));
    }

    #[test]
    fn the_least_required_version_counts() {
        assert_eq!(requires_python("[project]\nrequires-python = '>=3.9,<4'"), Some((3, 9)));
        assert_eq!(requires_python("[tool.poetry.dependencies]\npython = '^3.11'"), Some((3, 11)));
        assert_eq!(requires_python("[project]\nname = 'x'"), None);
    }
}
