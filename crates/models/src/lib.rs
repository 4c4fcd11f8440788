//! What libraries do, as data: TOML files under `models/<language>/`, one schema for all languages.

pub mod schema;

/// The models of the libraries that a program uses.
#[derive(Debug, Default)]
pub struct Models {}
