//! What a block declares before any of it runs.

use oxc_ast::ast::{
    BindingPattern, Declaration, ForStatementInit, ForStatementLeft, Statement, VariableDeclaration,
    VariableDeclarationKind,
};

/// Calls `found` with every name that this block itself declares; `var` belongs to the whole function and is left out.
pub(crate) fn block_names<'a>(statements: &'a [Statement<'a>], found: &mut dyn FnMut(&'a str)) {
    for statement in statements {
        match statement {
            Statement::ExportDeclaration(export) => declaration_names(&export.declaration, found),
            Statement::ExportDefaultDeclaration(export) => default_name(export, found),
            Statement::ImportDeclaration(import) => {
                for specifier in import.specifiers.iter().flatten() {
                    found(specifier.local().name.as_str());
                }
            }
            other => {
                if let Some(declaration) = other.as_declaration() {
                    declaration_names(declaration, found);
                }
            }
        }
    }
}

fn default_name<'a>(export: &'a oxc_ast::ast::ExportDefaultDeclaration<'a>, found: &mut dyn FnMut(&'a str)) {
    use oxc_ast::ast::ExportDefaultDeclarationKind as Kind;
    let id = match &export.declaration {
        Kind::FunctionDeclaration(function) => function.id.as_ref(),
        Kind::ClassDeclaration(class) => class.id.as_ref(),
        Kind::TSInterfaceDeclaration(interface) => Some(&interface.id),
        _ => None,
    };
    if let Some(id) = id {
        found(id.name.as_str());
    }
}

fn declaration_names<'a>(declaration: &'a Declaration<'a>, found: &mut dyn FnMut(&'a str)) {
    match declaration {
        Declaration::VariableDeclaration(variables) => {
            if variables.kind != VariableDeclarationKind::Var {
                variable_names(variables, found);
            }
        }
        other => {
            if let Some(id) = other.id() {
                found(id.name.as_str());
            }
        }
    }
}

fn variable_names<'a>(variables: &'a VariableDeclaration<'a>, found: &mut dyn FnMut(&'a str)) {
    variables.declarations.iter().for_each(|declarator| pattern_names(&declarator.id, found));
}

/// Calls `found` with every name that a pattern binds.
pub(crate) fn pattern_names<'a>(pattern: &'a BindingPattern<'a>, found: &mut dyn FnMut(&'a str)) {
    match pattern {
        BindingPattern::BindingIdentifier(name) => found(name.name.as_str()),
        BindingPattern::ObjectPattern(object) => {
            object.properties.iter().for_each(|property| pattern_names(&property.value, found));
            object.rest.iter().for_each(|rest| pattern_names(&rest.argument, found));
        }
        BindingPattern::ArrayPattern(array) => {
            array.elements.iter().flatten().for_each(|element| pattern_names(element, found));
            array.rest.iter().for_each(|rest| pattern_names(&rest.argument, found));
        }
        BindingPattern::AssignmentPattern(with_default) => pattern_names(&with_default.left, found),
    }
}

/// Calls `found` with every `var` of a body, inner blocks included.
pub(crate) fn var_names<'a>(statements: &'a [Statement<'a>], found: &mut dyn FnMut(&'a str)) {
    statements.iter().for_each(|statement| var_names_in(statement, found));
}

fn var_names_in<'a>(statement: &'a Statement<'a>, found: &mut dyn FnMut(&'a str)) {
    let mut again = |inner: &'a Statement<'a>| var_names_in(inner, found);
    match statement {
        Statement::VariableDeclaration(variables) => vars(variables, found),
        Statement::ExportDeclaration(export) => {
            if let Declaration::VariableDeclaration(variables) = &export.declaration {
                vars(variables, found);
            }
        }
        Statement::BlockStatement(block) => var_names(&block.body, found),
        Statement::IfStatement(branch) => {
            again(&branch.consequent);
            branch.alternate.iter().for_each(again);
        }
        Statement::ForStatement(each) => {
            if let Some(ForStatementInit::VariableDeclaration(variables)) = &each.init {
                vars(variables, found);
            }
            var_names_in(&each.body, found);
        }
        Statement::ForInStatement(each) => {
            left_vars(&each.left, found);
            var_names_in(&each.body, found);
        }
        Statement::ForOfStatement(each) => {
            left_vars(&each.left, found);
            var_names_in(&each.body, found);
        }
        Statement::WhileStatement(each) => again(&each.body),
        Statement::DoWhileStatement(each) => again(&each.body),
        Statement::LabeledStatement(labelled) => again(&labelled.body),
        Statement::WithStatement(with) => again(&with.body),
        Statement::TryStatement(guarded) => {
            var_names(&guarded.block.body, found);
            if let Some(handler) = &guarded.handler {
                var_names(&handler.body.body, found);
            }
            if let Some(last) = &guarded.finalizer {
                var_names(&last.body, found);
            }
        }
        Statement::SwitchStatement(switch) => {
            switch.cases.iter().for_each(|case| var_names(&case.consequent, found));
        }
        _ => {}
    }
}

fn vars<'a>(variables: &'a VariableDeclaration<'a>, found: &mut dyn FnMut(&'a str)) {
    if variables.kind == VariableDeclarationKind::Var {
        variable_names(variables, found);
    }
}

fn left_vars<'a>(left: &'a ForStatementLeft<'a>, found: &mut dyn FnMut(&'a str)) {
    if let ForStatementLeft::VariableDeclaration(variables) = left {
        vars(variables, found);
    }
}
