//! Does it await everything it starts?

pub(crate) mod asking;
pub(crate) mod async_callback;
pub(crate) mod async_executor;
pub(crate) mod async_uses;
pub(crate) mod await_non_awaitable;
pub(crate) mod await_outside_async;
pub(crate) mod callback_mix;
pub(crate) mod floating_promise;
pub(crate) mod floating_task;
pub(crate) mod missing_await;
pub(crate) mod serial_await;
pub(crate) mod unnecessary_async;
pub(crate) mod waitgroup_misuse;
pub(crate) mod wrapper_drops_await;
