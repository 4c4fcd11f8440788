//! Does it await everything it starts?

pub(crate) mod missing_await;
