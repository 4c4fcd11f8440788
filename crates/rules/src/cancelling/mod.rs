//! What happens when it is cancelled or fails?

pub(crate) mod cleanups;
pub(crate) mod swallowed_cancellation;
