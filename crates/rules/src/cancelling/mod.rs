//! What happens when it is cancelled or fails?

mod cleanups;
pub(crate) mod orphaned_losers;
pub(crate) mod swallowed_cancellation;
pub(crate) mod swallowed_error;
