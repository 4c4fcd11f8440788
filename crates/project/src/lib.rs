//! Files, languages, configuration.
