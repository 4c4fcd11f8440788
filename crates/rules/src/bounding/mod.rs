//! What limits it?

pub(crate) mod deadlines;
pub(crate) mod no_timeout;
pub(crate) mod permit_leak;
mod sizes;
pub(crate) mod unbounded_fan_out;
pub(crate) mod unbounded_growth;
