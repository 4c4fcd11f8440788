//! The Go parser: any bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use racewalk_fuzz::parse_go_and_verify;

fuzz_target!(|data: &[u8]| parse_go_and_verify(data));
