//! The one facade.
