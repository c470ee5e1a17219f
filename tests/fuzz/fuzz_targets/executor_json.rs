#![no_main]
//! Bodies of the JSON executor against the default flow for signing in.

use ak_tests::fuzz::Executor;
use libfuzzer_sys::fuzz_target;

thread_local! {
    static EXECUTOR: Executor = Executor::new();
}

fuzz_target!(|data: &[u8]| EXECUTOR.with(|executor| executor.run(data)));
