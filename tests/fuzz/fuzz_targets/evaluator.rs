#![no_main]
//! Texts of expressions in either language, evaluated about a person.

use ak_tests::fuzz::scripts::Evaluator;
use libfuzzer_sys::fuzz_target;

thread_local! {
    static EVALUATOR: Evaluator = Evaluator::new();
}

fuzz_target!(|data: &[u8]| {
    EVALUATOR.with(|evaluator| evaluator.run(data));
});
