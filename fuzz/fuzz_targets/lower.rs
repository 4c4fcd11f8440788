//! The front end alone: any bytes, as source, stub, cells or notebook.
#![no_main]

use libfuzzer_sys::fuzz_target;
use racewalk_fuzz::{Mode, lower_and_verify, with_room};

fuzz_target!(|data: &[u8]| {
    let Some((first, bytes)) = data.split_first() else { return };
    let text = String::from_utf8_lossy(bytes);
    with_room(|| lower_and_verify(Mode::of(*first), &text));
});
