//! The names of types.
#![no_main]

libfuzzer_sys::fuzz_target!(|given: &[u8]| {
    debug_async::fuzzing::names(given);
});
