//! Who owns the event loop, and who holds it up?
