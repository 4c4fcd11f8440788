//! Tests of the parser as it is used from outside.

mod errors;
mod properties;
mod shape;
mod syntax;
