#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| killdeer::fuzz::change_user(data));
