//! The walk of a damaged copy of a stack.
#![no_main]

libfuzzer_sys::fuzz_target!(|given: debug_async::fuzzing::Damage| {
    debug_async::fuzzing::damaged_stack(&given);
});
