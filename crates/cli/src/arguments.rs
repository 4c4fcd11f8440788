//! What can be asked on the command line.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Tells which asynchronous code will break under load: what is not awaited, and what holds up the event loop.
#[derive(Debug, Parser)]
#[command(name = "racewalk", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    #[command(flatten)]
    pub(crate) check: CheckArguments,

    /// When to use colours; `auto` means on a terminal, unless NO_COLOR is set
    #[arg(long, value_enum, default_value_t, value_name = "WHEN", global = true)]
    pub(crate) color: Color,
}

/// Subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check files and directories; `racewalk PATH` does the same
    Check(CheckArguments),
    /// List what code shares, waits for, starts, locks and calls; for a function, answer the five questions
    Inventory(InventoryArguments),
    /// Run the code around findings in every order that its environment can bring about: which of them really happen? This
    /// executes the project's code
    Prove(ProveArguments),
    /// List the rules
    Rules(RulesArguments),
    /// Explain a rule, or a runtime message by the rules whose defects cause it
    Explain(ExplainArguments),
    /// Keep the findings that are known, so that a check reports new ones only
    #[command(subcommand)]
    Baseline(BaselineCommand),
    /// The directory in which the answers of checks are kept, so that what has not changed is not analysed again
    #[command(subcommand)]
    Cache(CacheCommand),
    /// What the measuring tools ask; may change at any time
    #[command(hide = true, subcommand)]
    Debug(DebugCommand),
}

/// `baseline`.
#[derive(Debug, Subcommand)]
pub(crate) enum BaselineCommand {
    /// Add what `check` finds, and print what is new
    Update {
        #[command(flatten)]
        baseline: BaselineArguments,

        /// As `check` takes it
        #[arg(long)]
        strict: bool,

        /// As `check` takes it
        #[arg(long, value_delimiter = ',', value_name = "RULES")]
        select: Vec<String>,

        /// As `check` takes it
        #[arg(long, value_delimiter = ',', value_name = "RULES")]
        ignore: Vec<String>,
    },
    /// Remove what is no longer found beneath PATH, and print it
    Prune(BaselineArguments),
}

/// Arguments of every `baseline` subcommand.
#[derive(Args, Debug)]
pub(crate) struct BaselineArguments {
    /// As `check` takes them [default: .]
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    /// The file [default: racewalk-baseline.json at the project's root]
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,

    /// As `check` takes it
    #[arg(long)]
    pub(crate) isolated: bool,

    /// As `check` takes it
    #[arg(long, value_name = "PATH")]
    pub(crate) python: Option<PathBuf>,

    /// As `check` takes it
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// `cache`.
#[derive(Debug, Subcommand)]
pub(crate) enum CacheCommand {
    /// Remove all that is kept
    Clean(CacheArguments),
    /// Print where it is
    Dir(CacheArguments),
}

/// Arguments of every `cache` subcommand.
#[derive(Args, Debug)]
pub(crate) struct CacheArguments {
    /// As `check` takes them [default: .]
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    /// As `check` takes it
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) cache_dir: Option<PathBuf>,
}

/// `debug`.
#[derive(Debug, Subcommand)]
pub(crate) enum DebugCommand {
    /// Find and parse the files that `check` would, and print nothing
    ParseOnly(DebugArguments),
    /// Print for each awaited call, one JSON object a line, whether its result is known to be awaitable
    Awaits(DebugArguments),
}

/// Arguments of every `debug` subcommand.
#[derive(Args, Debug)]
pub(crate) struct DebugArguments {
    /// As `check` takes them [default: .]
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    /// As `check` takes it
    #[arg(long)]
    pub(crate) isolated: bool,

    /// As `check` takes it
    #[arg(long, value_name = "PATH")]
    pub(crate) python: Option<PathBuf>,
}

/// `check`.
#[derive(Args, Debug)]
pub(crate) struct CheckArguments {
    /// Files and directories to report on; `-` is standard input [default: .]
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    /// How to print findings
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output_format: Format,

    /// Show `possible` findings and rules that are off by default, too
    #[arg(long)]
    pub(crate) strict: bool,

    /// Run these rules only: names, short names, questions (`await`, `loop`, …) or `all`
    #[arg(long, value_delimiter = ',', value_name = "RULES")]
    pub(crate) select: Vec<String>,

    /// Do not run these rules
    #[arg(long, value_delimiter = ',', value_name = "RULES")]
    pub(crate) ignore: Vec<String>,

    /// Print how many findings each rule has instead of the findings
    #[arg(long)]
    pub(crate) statistics: bool,

    /// Print on standard error what each stage and each rule has cost
    #[arg(long)]
    pub(crate) profile: bool,

    /// Load nothing but PATH: no project around it, no configuration or baseline, no installed packages but those named
    #[arg(long)]
    pub(crate) isolated: bool,

    /// Leave the cache alone: neither look into it nor write to it
    #[arg(long)]
    pub(crate) no_cache: bool,

    /// Keep answers here [default: RACEWALK_CACHE_DIR, or .racewalk_cache at the project's root]
    #[arg(long, value_name = "DIRECTORY", conflicts_with = "no_cache")]
    pub(crate) cache_dir: Option<PathBuf>,

    /// The least severity that makes the exit status 1 [default: warning, or the configuration's]
    #[arg(long, value_enum, value_name = "SEVERITY")]
    pub(crate) fail_on: Option<FailOn>,

    /// Read the packages that are installed here: a virtual environment, its interpreter, or its site-packages directory
    /// [default: .venv or venv in the project]
    #[arg(long, value_name = "PATH")]
    pub(crate) python: Option<PathBuf>,

    /// Check standard input as if it were stored here; a Markdown name checks its Python blocks
    #[arg(long, value_name = "PATH")]
    pub(crate) stdin_filename: Option<PathBuf>,

    /// Use this configuration file instead of the nearest
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Hold back the findings that this file holds [default: racewalk-baseline.json at the project's root, if it is there]
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,

    /// Hold nothing back
    #[arg(long, conflicts_with = "baseline")]
    pub(crate) no_baseline: bool,

    /// Report what the changes since this git revision have caused, in whatever file: commits, and what is not committed
    #[arg(long, value_name = "REV", conflicts_with = "stdin_filename")]
    pub(crate) changed_since: Option<String>,

    /// Prove what is found, as `prove` does: this executes the project's code
    #[arg(long, conflicts_with = "stdin_filename")]
    pub(crate) prove: bool,

    /// With --prove: seconds for all findings together
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0, requires = "prove", value_parser = seconds)]
    pub(crate) prove_budget: f64,

    /// With --prove: run the code without asking
    #[arg(long, requires = "prove")]
    pub(crate) yes: bool,
}

/// `prove`.
#[derive(Args, Debug)]
pub(crate) struct ProveArguments {
    /// A finding by its fingerprint or the start of one, a place (`app/bank.py:42`: its findings, else the function there), or
    /// a file or directory: everything beneath it that can be proved [default: .]
    #[arg(value_name = "FINDING|PATH:LINE|PATH")]
    pub(crate) what: Option<String>,

    /// How to print what came of it
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output_format: ProofFormat,

    /// Run the project's code without asking
    #[arg(long, short)]
    pub(crate) yes: bool,

    /// The virtual environment, or the interpreter, that runs the code [default: .venv or venv in the project, the active
    /// environment, python3]
    #[arg(long, value_name = "PATH")]
    pub(crate) python: Option<PathBuf>,

    /// Seconds for the search of one finding [default: 2, or the configuration's]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) budget: Option<f64>,

    /// Say something about the code, such as `args.amount=5` or `policy=store`; may be repeated
    #[arg(long = "hint", value_name = "KEY=VALUE", value_parser = racewalk_engine::Hint::parse)]
    pub(crate) hints: Vec<racewalk_engine::Hint>,

    /// Write a test that fails as long as the defect is there: PATH (one schedule, for pytest), `stress=PATH` (many calls) or
    /// `property=PATH` (Hypothesis chooses); it must lie in the project
    #[arg(long = "write-test", value_name = "[VARIANT=]PATH", value_parser = written_test)]
    pub(crate) tests: Vec<(String, PathBuf)>,

    /// How many calls a stress test makes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=100_000))]
    pub(crate) calls: Option<u32>,

    /// Look whether a change is a fix: a patch, or a directory with the changed project
    #[arg(long, value_name = "PATCH|DIRECTORY")]
    pub(crate) against: Option<PathBuf>,

    /// Write who touched the state when: FILE (JSON for a name in .json, else text), or `perfetto=FILE`
    #[arg(long = "trace", value_name = "[FORMAT=]FILE", value_parser = trace)]
    pub(crate) traces: Vec<(String, PathBuf)>,

    /// Run nothing, and print a diff that makes the files log each access of the state, with task, old and new value; `git apply
    /// -R` takes it away again
    #[arg(long, conflicts_with_all = ["tests", "against", "traces"])]
    pub(crate) instrument: bool,

    /// How often a failing schedule is replayed on the stock event loop [default: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) replays: Option<u32>,

    /// Findings beneath a path that are merely possible, too
    #[arg(long)]
    pub(crate) strict: bool,

    /// As `check` takes it
    #[arg(long, value_delimiter = ',', value_name = "RULES")]
    pub(crate) select: Vec<String>,

    /// As `check` takes it
    #[arg(long, value_delimiter = ',', value_name = "RULES")]
    pub(crate) ignore: Vec<String>,

    /// As `check` takes it
    #[arg(long)]
    pub(crate) isolated: bool,

    /// As `check` takes it
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// Some seconds.
fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds: &f64| (0.01..=86_400.0).contains(seconds));
    seconds.ok_or_else(|| "a number of seconds is expected, from 0.01 up to a day".to_owned())
}

fn written_test(text: &str) -> Result<(String, PathBuf), String> {
    kind_and_path(text, &["regression", "stress", "property"], |_| "regression")
}

fn trace(text: &str) -> Result<(String, PathBuf), String> {
    let is_json = |path: &str| if path.ends_with(".json") { "json" } else { "text" };
    kind_and_path(text, &["text", "json", "perfetto"], is_json)
}

/// `KIND=PATH`, or a path whose kind follows from it.
fn kind_and_path(text: &str, kinds: &[&str], usual: fn(&str) -> &'static str) -> Result<(String, PathBuf), String> {
    let (kind, path) = match text.split_once('=') {
        Some((kind, path)) if kinds.contains(&kind) => (kind, path),
        _ => (usual(text), text),
    };
    if path.is_empty() { Err("a path is expected".to_owned()) } else { Ok((kind.to_owned(), PathBuf::from(path))) }
}

/// `inventory`.
#[derive(Args, Debug)]
pub(crate) struct InventoryArguments {
    /// Files and directories, or functions, classes and modules by name: `Class.method`, `package.module.function`;
    /// with names, only what they stand for is listed [default: .]
    #[arg(value_name = "PATH|SYMBOL")]
    pub(crate) targets: Vec<PathBuf>,

    /// How to print it
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output_format: InventoryFormat,

    /// List suspension points and calls of files and directories, too
    #[arg(long)]
    pub(crate) all: bool,

    /// With findings that are merely possible, and of rules that are off by default
    #[arg(long)]
    pub(crate) strict: bool,

    /// As `check` takes it
    #[arg(long)]
    pub(crate) isolated: bool,

    /// As `check` takes it
    #[arg(long)]
    pub(crate) no_cache: bool,

    /// As `check` takes it
    #[arg(long, value_name = "PATH")]
    pub(crate) python: Option<PathBuf>,

    /// As `check` takes it
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// `rules`.
#[derive(Args, Debug)]
pub(crate) struct RulesArguments {
    /// How to print them
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output_format: ListFormat,
}

/// `explain`.
#[derive(Args, Debug)]
pub(crate) struct ExplainArguments {
    /// A rule's name, or a message such as "coroutine 'f' was never awaited"
    #[arg(value_name = "RULE|MESSAGE", required = true)]
    pub(crate) query: Vec<String>,
}

/// Formats of findings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Source, call chain and help
    #[default]
    Full,
    /// One line a finding
    Concise,
    /// One object, for programs
    Json,
    /// SARIF 2.1.0, for code scanning services
    Sarif,
    /// Annotations of GitHub Actions
    Github,
    /// Markdown, with diagrams of interleavings
    Markdown,
}

/// Formats of an inventory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum InventoryFormat {
    /// To read on a terminal
    #[default]
    Text,
    /// One object, for programs
    Json,
    /// Markdown, for reviews and assistants
    Markdown,
}

/// Formats of proofs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProofFormat {
    /// To read on a terminal
    #[default]
    Text,
    /// One object, for programs
    Json,
}

/// Formats of the list of rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// A table to read
    #[default]
    Full,
    /// A Markdown table
    Markdown,
    /// An array, for programs
    Json,
}

/// Severities, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// Any finding
    Hint,
    /// Warnings and errors
    Warning,
    /// Errors
    Error,
    /// Never fail because of findings
    Never,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Color {
    /// Makes it so for everything that is printed from here on.
    pub(crate) fn apply(self) {
        let choice = match self {
            Self::Auto => anstream::ColorChoice::Auto,
            Self::Always => anstream::ColorChoice::Always,
            Self::Never => anstream::ColorChoice::Never,
        };
        choice.write_global();
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_definition_holds() {
        super::Cli::command().debug_assert();
    }
}
