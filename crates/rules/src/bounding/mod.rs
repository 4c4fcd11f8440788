//! What limits it?

pub(crate) mod channel_misuse;
pub(crate) mod deadlines;
pub(crate) mod goroutine_leak;
mod kept_locks;
pub(crate) mod no_timeout;
pub(crate) mod permit_leak;
mod sizes;
pub(crate) mod unbounded_fan_out;
pub(crate) mod unbounded_growth;
mod unheeded;
