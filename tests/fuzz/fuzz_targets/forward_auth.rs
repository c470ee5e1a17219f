#![no_main]
//! What reverse proxies say of requests, and where browsers want to go.

use ak_tests::fuzz::forward_auth::forward_auth;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| forward_auth(data));
