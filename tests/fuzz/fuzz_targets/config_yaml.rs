#![no_main]
//! Settings files.

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| ak_tests::fuzz::config_yaml(data));
