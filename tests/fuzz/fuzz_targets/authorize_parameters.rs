#![no_main]
//! Queries of the authorization endpoint.

use ak_tests::fuzz::oauth2::Authorize;
use libfuzzer_sys::fuzz_target;

thread_local! {
    static CLIENT: Authorize = Authorize::default();
}

fuzz_target!(|data: &[u8]| CLIENT.with(|client| client.run(data)));
