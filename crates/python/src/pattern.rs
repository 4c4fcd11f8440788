//! Patterns of `match`.

use crate::lowerer::Lowerer;
use crate::span;
use racewalk_ir::{BindingKind, ExprId, Name, Role};
use ruff_python_ast::{self as ast, Pattern};

impl Lowerer {
    /// Binds what a pattern captures of the subject.
    pub fn pattern(&mut self, pattern: &Pattern, subject: ExprId) {
        match pattern {
            Pattern::MatchValue(value) => {
                self.expr(&value.value, Role::Other);
            }
            Pattern::MatchSingleton(_) => {}
            Pattern::MatchSequence(sequence) => self.patterns(sequence.patterns.iter(), subject),
            Pattern::MatchMapping(mapping) => {
                self.patterns(mapping.patterns.iter(), subject);
                self.capture(mapping.rest.as_ref(), subject);
            }
            Pattern::MatchClass(class) => {
                self.expr(&class.cls, Role::Other);
                self.patterns(class.arguments.patterns.iter(), subject);
                self.patterns(class.arguments.keywords.iter().map(|keyword| &keyword.pattern), subject);
            }
            Pattern::MatchStar(star) => self.capture(star.name.as_ref(), subject),
            Pattern::MatchAs(capture) => {
                if let Some(inner) = &capture.pattern {
                    self.pattern(inner, subject);
                }
                self.capture(capture.name.as_ref(), subject);
            }
            Pattern::MatchOr(or) => self.patterns(or.patterns.iter(), subject),
        }
    }

    fn patterns<'a>(&mut self, patterns: impl Iterator<Item = &'a Pattern>, subject: ExprId) {
        for pattern in patterns {
            self.pattern(pattern, subject);
        }
    }

    fn capture(&mut self, name: Option<&ast::Identifier>, subject: ExprId) {
        if let Some(name) = name {
            self.bind(Name::new(name), BindingKind::Pattern(subject), span(name.range));
        }
    }
}
