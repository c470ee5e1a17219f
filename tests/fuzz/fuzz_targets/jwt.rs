#![no_main]
//! Tokens that come from outside.

use ak_tests::fuzz::oauth2::Tokens;
use libfuzzer_sys::fuzz_target;

thread_local! {
    static TOKENS: Tokens = Tokens::default();
}

fuzz_target!(|data: &[u8]| TOKENS.with(|tokens| tokens.run(data)));
