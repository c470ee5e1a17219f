#![no_main]
//! Texts of expressions in Python, translated.

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| ak_tests::fuzz::scripts::translator(data));
