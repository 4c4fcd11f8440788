//! Files, languages, configuration, module names: everything that is known of a project before its code is read.
//!
//! [`discover`] is the entry. All disk access of the whole tool goes through [`Disk`].

mod cache;
mod config;
mod decode;
mod discover;
mod disk;
mod environment;
mod git;
mod globs;
mod go_modules;
pub mod markdown;
mod names;
mod nearest;
pub mod paths;
mod resolve;
mod scratch;
mod toml_reader;
mod trace;
mod walk;

pub use cache::{Cache, Key, KeyMaker};
pub use config::{Config, FailOn, PerPath, Prove, Vocabulary};
pub use discover::{Failure, Kind, Options, Project, SourceFile, cache_of, discover};
pub use disk::Disk;
pub use environment::SitePackages;
pub use git::Changes;
pub use globs::Globs;
pub use go_modules::{GoModules, GoPackage};
pub use names::{ModuleName, Reach};
pub use nearest::{did_you_mean, nearest};
pub use resolve::Resolver;
pub use scratch::Scratch;
pub use trace::{Facts, Question};
