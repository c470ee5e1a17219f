#![no_main]
//! Texts of blueprints, planned against a new installation.

use ak_tests::fuzz::Blueprints;
use libfuzzer_sys::fuzz_target;

thread_local! {
    static BLUEPRINTS: Blueprints = Blueprints::new();
}

fuzz_target!(|data: &[u8]| BLUEPRINTS.with(|blueprints| drop(blueprints.run(data))));
