//! Applying suppression comments, and finding fault with them.

use crate::selection::Selection;
use crate::tool::unused_suppression::RULE;
use racewalk_ir::{Comment, ExprId, Module};
use racewalk_link::FileId;
use racewalk_project::Vocabulary;
use racewalk_report::{SourceText, Suppression, parse_suppression};
use racewalk_rules::{Finding, Place};
use std::ops::RangeInclusive;
use std::path::Path;

/// What suppressions are judged by.
pub(crate) struct Judge<'a> {
    pub(crate) selection: &'a Selection<'a>,
    pub(crate) vocabulary: &'a Vocabulary,
    pub(crate) path: &'a Path,
}

/// A suppression comment in a module.
struct Directive {
    at: Place,
    says: Suppression,
    /// The lines that it is about.
    lines: RangeInclusive<u32>,
    /// For each rule that it names: something was suppressed by it.
    used: Vec<bool>,
}

/// True when the module has suppression comments.
pub(crate) fn has_suppressions(module: &Module) -> bool {
    module.comments.iter().any(|comment| parse_suppression(&comment.text).is_some())
}

/// Takes away what the module's comments suppress, and adds what is wrong with the comments.
pub(crate) fn apply(judge: &Judge<'_>, file: FileId, module: &Module, text: &SourceText, findings: &mut Vec<Finding>) {
    let mut directives: Vec<Directive> =
        module.comments.iter().filter_map(|it| directive(it, file, module, text)).collect();
    findings.retain(|finding| !is_suppressed(finding, text, &mut directives));
    if judge.selection.wants(&RULE, judge.path) {
        for directive in &directives {
            findings.extend(judge.faults(directive).map(|(message, help)| fault(directive, message, help)));
        }
    }
}

fn directive(comment: &Comment, file: FileId, module: &Module, text: &SourceText) -> Option<Directive> {
    let says = parse_suppression(&comment.text)?;
    let own = text.position(comment.span.start).line;
    let first = if comment.own_line { next_code_line(text, own, module.language.comment_sign) } else { own };
    let lines = first..=decorated_name(module, text, first).unwrap_or(first);
    Some(Directive { at: Place { file, span: comment.span }, lines, used: vec![false; says.rules.len()], says })
}

/// When a decorator starts on this line: the line with the name of what it decorates, where findings about it are.
fn decorated_name(module: &Module, text: &SourceText, line: u32) -> Option<u32> {
    if !text.line(line).trim_start().starts_with('@') {
        return None;
    }
    let functions = module.functions.iter().map(|function| (&function.decorators, function.name_span));
    let classes = module.classes.iter().map(|class| (&class.decorators, class.name_span));
    let starts_here = |decorator: &ExprId| text.position(module.span(*decorator).start).line == line;
    let mut decorated = functions.chain(classes).filter(|(decorators, _)| decorators.iter().any(starts_here));
    decorated.next().map(|(_, name)| text.position(name.start).line)
}

fn next_code_line(text: &SourceText, line: u32, comment_sign: &str) -> u32 {
    let is_code = |line: &u32| {
        let text = text.line(*line).trim_start();
        !text.is_empty() && !text.starts_with(comment_sign)
    };
    (line + 1..=text.line_count() as u32).find(is_code).unwrap_or(line)
}

fn is_suppressed(finding: &Finding, text: &SourceText, directives: &mut [Directive]) -> bool {
    let range = text.range(finding.at.span.start, finding.at.span.end);
    let mut suppressed = false;
    let touches = |lines: &RangeInclusive<u32>| *lines.start() <= range.end.line && range.start.line <= *lines.end();
    for directive in directives.iter_mut().filter(|it| touches(&it.lines)) {
        for (rule, used) in directive.says.rules.iter().zip(&mut directive.used) {
            if Vocabulary::means(rule, finding.rule.name) {
                *used = true;
                suppressed = true;
            }
        }
    }
    suppressed
}

fn fault(directive: &Directive, message: String, help: String) -> Finding {
    Finding::new(&RULE, directive.at, "", message).help(help).shape(directive.says.rules.join(","))
}

impl Judge<'_> {
    /// Message and help for everything that is wrong with a comment.
    fn faults(&self, directive: &Directive) -> impl Iterator<Item = (String, String)> {
        let says = &directive.says;
        let form = says.problem.map(|problem| ("this suppression suppresses nothing".to_owned(), problem.to_owned()));
        let rules = says.rules.iter().zip(&directive.used).filter_map(|(rule, used)| self.rule_fault(rule, *used));
        let reason = (says.problem.is_none() && !says.has_reason).then(|| {
            let message = "this suppression does not say why the finding does not matter here".to_owned();
            (
                message,
                format!("write the reason behind the bracket: `racewalk: ignore[{}] reason`", says.rules.join(", ")),
            )
        });
        form.into_iter().chain(rules).chain(reason)
    }

    fn rule_fault(&self, rule: &str, used: bool) -> Option<(String, String)> {
        if let Err(unknown) = self.vocabulary.check(rule) {
            let message = format!("this suppression names an {unknown}");
            return Some((message, "`racewalk rules` lists the rules".to_owned()));
        }
        if used || !self.selection.wants_any(rule, self.path) {
            return None;
        }
        let message = format!("`{rule}` finds nothing here: this suppression is unused");
        Some((message, "take it away, or it hides the next finding on this line".to_owned()))
    }
}
