//! The tool's own rules: about the comments and files that it is given, not about the code in them.

pub(crate) mod syntax;
pub(crate) mod unused_suppression;

use racewalk_rules::Rule;

/// The tool's own rules.
pub(crate) static RULES: [&Rule; 2] = [&syntax::RULE, &unused_suppression::RULE];
