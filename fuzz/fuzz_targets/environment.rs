//! The variables of the environment.
#![no_main]

libfuzzer_sys::fuzz_target!(|given: Vec<(u8, Vec<u8>)>| {
    debug_async::fuzzing::environment(&given);
});
