//! The JavaScript and TypeScript front end alone: any bytes, in any of its grammars.
#![no_main]

use libfuzzer_sys::fuzz_target;
use racewalk_fuzz::{lower_script_and_verify, with_room};

fuzz_target!(|data: &[u8]| {
    let Some((first, bytes)) = data.split_first() else { return };
    let text = String::from_utf8_lossy(bytes);
    with_room(|| lower_script_and_verify(*first, &text));
});
