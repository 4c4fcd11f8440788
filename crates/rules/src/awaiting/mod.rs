//! Does it await everything it starts?
