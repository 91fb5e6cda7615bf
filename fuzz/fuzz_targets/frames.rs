//! What is shown of a stack.
#![no_main]

libfuzzer_sys::fuzz_target!(|given: Vec<(Vec<u8>, Vec<u8>)>| {
    debug_async::fuzzing::frames(&given);
});
