//! Imports and exports.

use crate::function::FunctionParts;
use crate::lowerer::Lowerer;
use crate::span;
use crate::specifier::import_path;
use oxc_ast::ast::{
    ExportAllDeclaration, ExportDefaultDeclaration, ExportDefaultDeclarationKind, ExportFromDeclaration,
    ExportNamedDeclaration, Expression, ImportDeclaration, ImportDeclarationSpecifier, ModuleExportName,
    TSImportEqualsDeclaration, TSModuleReference,
};
use oxc_span::GetSpan;
use racewalk_ir::{BindingKind, Name, Role};

/// The name of what a module exports without one.
const DEFAULT: &str = "default";

impl Lowerer<'_> {
    pub fn import(&mut self, import: &ImportDeclaration<'_>) {
        let path = self.import_from(import.source.value.as_str());
        for specifier in import.specifiers.iter().flatten() {
            let kind = match specifier {
                ImportDeclarationSpecifier::ImportSpecifier(named) => {
                    BindingKind::ImportMember(path, export_name(&named.imported))
                }
                ImportDeclarationSpecifier::ImportDefaultSpecifier(_) => {
                    BindingKind::ImportMember(path, Name::new(DEFAULT))
                }
                ImportDeclarationSpecifier::ImportNamespaceSpecifier(_) => BindingKind::Import(path),
            };
            let local = specifier.local();
            self.bind(local.name.as_str(), kind, span(local.span));
        }
    }

    /// Remembers a specifier, and gives the path that it stands for.
    fn import_from(&mut self, specifier: &str) -> Name {
        self.module.imports.push(Name::new(specifier));
        import_path(specifier)
    }

    pub fn import_equals(&mut self, import: &TSImportEqualsDeclaration<'_>) {
        let at = span(import.id.span);
        let kind = match &import.module_reference {
            TSModuleReference::ExternalModuleReference(module) => {
                BindingKind::Import(self.import_from(module.expression.value.as_str()))
            }
            _ => BindingKind::Opaque,
        };
        self.bind(import.id.name.as_str(), kind, at);
    }

    /// `export { a, b as c }`
    pub fn export_names(&mut self, export: &ExportNamedDeclaration<'_>) {
        for specifier in &export.specifiers {
            let local = export_name(&specifier.local);
            let symbol = self.scopes.find(local).map_or(local, |(_, symbol)| symbol);
            self.module.renamed_exports.insert(export_name(&specifier.exported), symbol);
        }
    }

    /// `export { a, b as c } from "module"`
    pub fn export_from(&mut self, export: &ExportFromDeclaration<'_>) {
        let path = self.import_from(export.source.value.as_str());
        for specifier in &export.specifiers {
            let kind = BindingKind::ImportMember(path, export_name(&specifier.local));
            self.export_binding(export_name(&specifier.exported), kind, span(specifier.span));
        }
    }

    /// `export * from "module"`, `export * as name from "module"`
    pub fn export_all(&mut self, export: &ExportAllDeclaration<'_>) {
        let path = self.import_from(export.source.value.as_str());
        match &export.exported {
            Some(name) => self.export_binding(export_name(name), BindingKind::Import(path), span(export.span)),
            None => self.module.star_imports.push(path),
        }
    }

    /// Exports something under a name that the module itself does not know it by.
    fn export_binding(&mut self, name: Name, kind: BindingKind, at: racewalk_ir::Span) {
        let symbol = Name::new(&format!("export {name}"));
        let owner = self.current();
        self.bind_in(owner, symbol, kind, at);
        self.module.renamed_exports.insert(name, symbol);
    }

    pub fn export_default(&mut self, export: &ExportDefaultDeclaration<'_>) {
        let at = span(export.declaration.span());
        match &export.declaration {
            ExportDefaultDeclarationKind::FunctionDeclaration(function) => {
                let named = function.id.as_ref().map(|id| id.name.as_str());
                // A named one has come to be with the block that it stands in.
                if named.is_none() {
                    let id = self.lower_function(FunctionParts::of_function(function, Name::new(DEFAULT)));
                    self.export_binding(Name::new(DEFAULT), BindingKind::Function(id), at);
                }
                self.export_default_name(named);
            }
            ExportDefaultDeclarationKind::ClassDeclaration(class) => {
                let named = class.id.as_ref().map(|id| id.name.as_str());
                let id = self.class(class, Name::new(named.unwrap_or(DEFAULT)));
                match named {
                    Some(name) => {
                        self.bind(name, BindingKind::Class(id), at);
                    }
                    None => self.export_binding(Name::new(DEFAULT), BindingKind::Class(id), at),
                }
                self.export_default_name(named);
            }
            ExportDefaultDeclarationKind::TSInterfaceDeclaration(interface) => {
                let id = self.interface(interface);
                self.bind(interface.id.name.as_str(), BindingKind::Class(id), at);
                self.export_default_name(Some(interface.id.name.as_str()));
            }
            other => match other.to_expression() {
                Expression::Identifier(name) => self.export_default_name(Some(name.name.as_str())),
                value => {
                    let value = self.named_value(value, Some(Name::new(DEFAULT)), Role::Stored);
                    self.export_binding(Name::new(DEFAULT), BindingKind::Value(value), at);
                }
            },
        }
    }

    fn export_default_name(&mut self, name: Option<&str>) {
        if let Some(name) = name.map(Name::new) {
            let symbol = self.scopes.find(name).map_or(name, |(_, symbol)| symbol);
            self.module.renamed_exports.insert(Name::new(DEFAULT), symbol);
        }
    }
}

fn export_name(name: &ModuleExportName<'_>) -> Name {
    Name::new(name.name().as_str())
}
