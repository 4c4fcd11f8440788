//! What happens when it is cancelled or fails?

pub(crate) mod async_generator_cleanup;
mod cleanups;
pub(crate) mod fail_fast_leak;
pub(crate) mod gathered;
pub(crate) mod ignored_context;
pub(crate) mod lost_cancel;
mod lost_errors;
pub(crate) mod orphaned_losers;
pub(crate) mod swallowed_cancellation;
pub(crate) mod swallowed_error;
mod unread_contexts;
pub(crate) mod unsafe_retry;
pub(crate) mod unshielded_cleanup;
pub(crate) mod unstructured_tasks;
