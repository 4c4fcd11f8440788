//! What the engine does with whatever the rules find, shown with a rule that finds every call of `bad`, and calls of
//! `maybe_bad` possible.

#![expect(clippy::disallowed_methods, reason = "the tests lay out the files that the engine then reads")]

use racewalk_engine::report::{Confidence, Report, Severity};
use racewalk_engine::{Engine, Options, Outcome, Question, Rule};
use racewalk_ir::Expr;
use racewalk_rules::{Context, Finding};
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

static RULE: Rule = Rule {
    name: "loop/bad-call",
    question: Question::Loop,
    severity: Severity::Error,
    languages: &["python"],
    on_by_default: true,
    summary: "a call of `bad`",
    source: "//! # loop/bad-call\n//! ## Why tests pass all the same\n//! They are\n//! kind.\n//! ## Symptoms\n//! - `Bad: ... happened`: at once.\n",
    check: |ctx, found| find(ctx, found, "bad", &RULE),
};

static HINT: Rule = Rule {
    name: "bound/odd-call",
    question: Question::Bound,
    severity: Severity::Hint,
    languages: &["python"],
    on_by_default: false,
    summary: "a call of `odd`",
    source: "",
    check: |ctx, found| find(ctx, found, "odd", &HINT),
};

fn find(ctx: &Context<'_>, found: &mut Vec<Finding>, name: &str, rule: &'static Rule) {
    for (index, expr) in ctx.module.exprs.iter().enumerate() {
        if let Expr::Call(callee, _) = expr
            && let Expr::Name(callee, _) = ctx.module.expr(*callee)
            && callee.as_str().trim_start_matches("maybe_") == name
        {
            let confidence = if callee.as_str() == name { Confidence::Certain } else { Confidence::Possible };
            let at = ctx.at(ctx.module.spans[index]);
            let finding = Finding::new(rule, at, "f", format!("`{name}` is called")).shape(name);
            found.push(finding.related(at, "here").confidence(confidence));
        }
    }
}

struct Tree(PathBuf);

impl Tree {
    fn new(files: &[(&str, &str)]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let root = std::env::temp_dir().join(format!("racewalk-engine-{}-{number}", std::process::id()));
        for (path, text) in files {
            let full = root.join(path);
            fs::create_dir_all(full.parent().unwrap()).unwrap();
            fs::write(full, text).unwrap();
        }
        Self(root)
    }

    fn options(&self) -> Options {
        Options::new(self.0.clone())
    }

    fn check(&self, options: &Options) -> Outcome {
        engine().check(options).unwrap()
    }

    fn report(&self) -> Report {
        self.check(&self.options()).report
    }

    fn places(&self) -> Vec<String> {
        places(&self.report())
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn engine() -> Engine {
    Engine::with_rules(&[&RULE, &HINT])
}

fn places(report: &Report) -> Vec<String> {
    let place = |finding: &racewalk_engine::report::Finding| {
        let at = finding.range.start;
        format!("{}:{}:{} {}", finding.path, at.line, at.column, finding.rule)
    };
    report.findings.iter().map(place).collect()
}

#[test]
fn the_contract_is_filled_in() {
    let tree = Tree::new(&[("racewalk.toml", ""), ("app/api.py", "async def f():\n    é = bad(1)\n")]);
    let report = tree.report();
    let finding = &report.findings[0];
    assert_eq!((finding.path.as_str(), finding.symbol.as_str()), ("app/api.py", "f"));
    assert_eq!((finding.range.start.column, finding.range.end.column), (9, 15));
    assert_eq!((finding.cluster.as_str(), finding.why_it_hides.as_str()), ("loop/bad-call:bad", "They are kind."));
    assert_eq!(finding.confidence, Confidence::Certain);
    assert_eq!(finding.fingerprint.len(), 16);
    let summary = &report.summary;
    assert_eq!((summary.files, summary.lines, summary.functions, summary.async_functions), (1, 2, 1, 1));
}

#[test]
fn suppressions_hold_for_their_line_the_next_code_line_and_within_a_finding() {
    let text = "\
bad()  # racewalk: ignore[bad-call] first
# racewalk: ignore[loop/bad-call] second

# and why
bad()
bad(
    1,
)  # racewalk: ignore[loop] third
bad()
";
    let tree = Tree::new(&[("racewalk.toml", ""), ("a.py", text)]);
    assert_eq!(tree.places(), ["a.py:9:1 loop/bad-call"]);
}

#[test]
fn a_suppression_above_a_decorator_reaches_to_the_name() {
    let text = "# racewalk: ignore[bad-call] why\n@first\n@second(\n    1\n)\ndef f(x=bad()):\n    bad()\n";
    let tree = Tree::new(&[("racewalk.toml", ""), ("a.py", text)]);
    assert_eq!(tree.places(), ["a.py:7:5 loop/bad-call"]);
}

#[test]
fn faulty_suppressions_are_findings() {
    let text = "\
x = 1  # racewalk: ignore[bad-call] nothing here
bad()  # racewalk: ignore[bad-call]
y = 1  # racewalk: ignore[odd-call] does not run
z = 1  # racewalk: ignore[bad-cal] misspelt
";
    let tree = Tree::new(&[("racewalk.toml", ""), ("a.py", text)]);
    let report = tree.report();
    let messages: Vec<&str> = report.findings.iter().map(|finding| finding.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "`bad-call` finds nothing here: this suppression is unused",
            "this suppression does not say why the finding does not matter here",
            "this suppression names an unknown rule `bad-cal`; did you mean `bad-call`?",
        ]
    );
    assert!(report.findings.iter().all(|finding| finding.rule == "tool/unused-suppression"));
}

#[test]
fn configuration_selects_weighs_and_leaves_out() {
    let config = "\
ignore = ['tool']
exclude = ['gen']
[severity]
bad-call = 'hint'
[[per-path]]
paths = ['tests']
ignore = ['bad-call']
select = ['odd-call']
";
    let code = "bad()\nodd()\n";
    let files = [("racewalk.toml", config), ("a.py", code), ("gen/b.py", code), ("tests/c.py", code)];
    let tree = Tree::new(&files);
    assert_eq!(tree.places(), ["a.py:1:1 loop/bad-call", "tests/c.py:2:1 bound/odd-call"]);
    assert_eq!(tree.report().findings[0].severity, Severity::Hint);
    let selected = Options { select: vec!["odd-call".to_owned()], ..tree.options() };
    assert_eq!(places(&tree.check(&selected).report), ["a.py:2:1 bound/odd-call", "tests/c.py:2:1 bound/odd-call"]);
    let isolated = Options { isolated: true, strict: true, paths: vec!["gen".into()], ..tree.options() };
    assert_eq!(places(&tree.check(&isolated).report), ["gen/b.py:1:1 loop/bad-call", "gen/b.py:2:1 bound/odd-call"]);
}

#[test]
fn what_cannot_be_used_is_told_with_its_mend() {
    let tree = Tree::new(&[("racewalk.toml", "\nselekt = []\n"), ("a.py", "")]);
    let failure = |options: &Options| engine().check(options).unwrap_err().to_string();
    assert_eq!(failure(&tree.options()), "racewalk.toml:2: unknown key `selekt`; did you mean `select`?");
    let misspelt = Options { select: vec!["bad-cal".to_owned()], ..tree.options() };
    assert_eq!(failure(&misspelt), "unknown rule `bad-cal`; did you mean `bad-call`?");
    let missing = Options { paths: vec!["b.py".into()], ..tree.options() };
    assert_eq!(failure(&missing), "b.py: no such file or directory");
}

#[test]
fn broken_files_are_listed_and_hide_nothing() {
    let tree = Tree::new(&[("racewalk.toml", ""), ("a.py", "def (:\nbad()\n"), ("n.ipynb", "{"), ("z.py", "bad()\n")]);
    fs::write(tree.0.join("latin.py"), b"# caf\xe9\n").unwrap();
    let report = tree.report();
    assert!(places(&report).contains(&"z.py:1:1 loop/bad-call".to_owned()));
    let skipped: Vec<(&str, u32)> = report.summary.skipped.iter().map(|it| (it.path.as_str(), it.line)).collect();
    assert_eq!(skipped, [("a.py", 1), ("latin.py", 0), ("n.ipynb", 0)]);
}

#[test]
fn templates_are_left_out_and_texts_with_braces_are_not() {
    let tree = Tree::new(&[
        ("racewalk.toml", ""),
        ("a.py", "bad()\nfrom stack import {{ project }}Stack\n"),
        ("b.py", "# % if extended\nbad()\nwith x:\n# % endif\n"),
        ("c.py", "bad()\ntext = '{{ name }}'\n"),
        ("d.py", "bad()\ndef (:\n"),
    ]);
    let report = tree.report();
    let bad: Vec<String> = places(&report).into_iter().filter(|place| place.ends_with("bad-call")).collect();
    assert_eq!(bad, ["c.py:1:1 loop/bad-call", "d.py:1:1 loop/bad-call"]);
    let skipped: Vec<(&str, u32)> = report.summary.skipped.iter().map(|it| (it.path.as_str(), it.line)).collect();
    assert_eq!(skipped, [("a.py", 0), ("b.py", 0), ("d.py", 2)]);
}

#[cfg(unix)]
#[test]
fn links_neither_loop_nor_double() {
    use std::os::unix::fs::symlink;
    let tree = Tree::new(&[("racewalk.toml", ""), ("a/x.py", "bad()\n")]);
    symlink(&tree.0, tree.0.join("a/up")).unwrap();
    symlink(tree.0.join("a/x.py"), tree.0.join("y.py")).unwrap();
    symlink("self.py", tree.0.join("self.py")).unwrap();
    let report = tree.report();
    assert_eq!(places(&report), ["a/x.py:1:1 loop/bad-call"]);
    assert_eq!(report.summary.skipped.len(), 1);
    assert_eq!(report.summary.skipped[0].path, "self.py");
}

#[test]
fn the_project_around_a_path_is_context_and_not_reported() {
    let files = [("racewalk.toml", ""), ("pkg/__init__.py", ""), ("pkg/a.py", "bad()\n"), ("pkg/b.py", "bad()\n")];
    let tree = Tree::new(&files);
    let one = Options { paths: vec!["pkg/a.py".into()], ..tree.options() };
    let report = tree.check(&one).report;
    assert_eq!((places(&report), report.summary.files), (vec!["pkg/a.py:1:1 loop/bad-call".to_owned()], 1));
    let inside = Options { working_directory: tree.0.join("pkg"), paths: vec!["..".into()], ..tree.options() };
    assert_eq!(places(&tree.check(&inside).report), ["a.py:1:1 loop/bad-call", "b.py:1:1 loop/bad-call"]);
}

#[test]
fn a_finding_has_one_fingerprint_whether_or_not_possible_ones_are_shown() {
    let tree = Tree::new(&[("racewalk.toml", ""), ("a.py", "maybe_bad()\nbad()\n")]);
    let strict = tree.check(&Options { strict: true, ..tree.options() }).report;
    assert_eq!(places(&strict), ["a.py:1:1 loop/bad-call", "a.py:2:1 loop/bad-call"]);
    assert_eq!(strict.findings[1].fingerprint, tree.report().findings[0].fingerprint);
}

#[test]
fn fingerprints_outlive_drift_and_tell_equals_apart() {
    let tree = Tree::new(&[("racewalk.toml", ""), ("a.py", "bad()\nbad()\n")]);
    let prints = |report: Report| report.findings.into_iter().map(|it| it.fingerprint).collect::<Vec<_>>();
    let before = prints(tree.report());
    fs::write(tree.0.join("a.py"), "x = 1\n\n\nbad()\ny = 2\nbad()\n").unwrap();
    assert_eq!(prints(tree.report()), before);
    assert_ne!(before[0], before[1]);
}

#[test]
fn a_text_is_checked_in_place_of_what_is_stored() {
    let tree = Tree::new(&[("racewalk.toml", ""), ("a.py", "bad()\n")]);
    let outcome = engine().check_text(&tree.options(), "a.py".into(), "\n\nbad()\n".to_owned()).unwrap();
    assert_eq!(places(&outcome.report), ["a.py:3:1 loop/bad-call"]);
}

#[test]
fn code_blocks_of_markdown_are_modules_with_the_lines_of_their_file() {
    let text = "Try:\n\n```python\nbad()\n```\n\n- or\n  ```py\n  await f()\n  bad()\n  ```\n\n```js\nbad()\n```\n";
    let tree = Tree::new(&[("racewalk.toml", ""), ("answer.md", text)]);
    assert!(tree.places().is_empty());
    let named = Options { paths: vec!["answer.md".into()], ..tree.options() };
    let report = tree.check(&named).report;
    assert_eq!(places(&report), ["answer.md:4:1 loop/bad-call", "answer.md:10:3 loop/bad-call"]);
    assert_eq!(report.summary.files, 1);
    assert!(report.summary.skipped.is_empty());
}

#[test]
fn the_report_is_the_same_on_any_number_of_threads() {
    let files: Vec<(String, String)> =
        (0..60).map(|i| (format!("p{}/m{i}.py", i % 7), "bad()\nodd()\nbad()\n".repeat(i % 5))).collect();
    let mut files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    files.push(("racewalk.toml", ""));
    let tree = Tree::new(&files);
    let on = |threads: usize| {
        let outcome = engine().threads(threads).check(&tree.options()).unwrap();
        racewalk_engine::report::json(&outcome.report)
    };
    let one = on(1);
    assert!(one.contains("bad-call"));
    assert_eq!(one, on(8));
}

#[test]
fn deep_nesting_is_survived() {
    let parens = format!("x = {}1{}\n", "(".repeat(10_000), ")".repeat(10_000));
    let open = "[".repeat(20_000);
    let elifs = format!("if x:\n    pass\n{}", "elif y:\n    pass\n".repeat(5_000));
    let files = [("racewalk.toml", ""), ("a.py", &parens), ("b.py", &open), ("c.py", &elifs), ("z.py", "bad()\n")];
    let tree = Tree::new(&files);
    assert!(tree.places().contains(&"z.py:1:1 loop/bad-call".to_owned()));
}

/// Each name's value depends on every other's, in more ways than anybody could follow one by one.
#[test]
fn values_that_depend_on_each_other_in_circles_are_survived() {
    const NAMES: usize = 60;
    let arm = |at: usize| {
        let (before, other) = ((at + NAMES - 1) % NAMES, (at * 7 + 3) % NAMES);
        format!(
            "        if flags[{at}]:\n            query = query.filter(other_{before})\n            other_{at} = query.join(other_{other})\n"
        )
    };
    let arms: String = (0..NAMES).map(arm).collect();
    let tree = Tree::new(&[(
        "query.py",
        &format!("def build(query, flags):\n    while flags:\n{arms}    return query\n\nbuild(bad(), [])\n"),
    )]);
    assert_eq!(tree.places().len(), 1);
}

#[test]
fn explanations_come_from_the_documentation() {
    use racewalk_engine::Explanation;
    let engine = engine();
    assert!(matches!(engine.explain("bad-call"), Explanation::Rules(rules) if rules[0].name == RULE.name));
    let causes = engine.explain("ValueError: Bad: something happened again");
    assert!(matches!(causes, Explanation::Causes(causes) if causes[0].0.name == RULE.name));
    assert!(matches!(engine.explain("no such thing"), Explanation::Nothing));
}
