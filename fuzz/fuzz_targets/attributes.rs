//! The arguments of the attributes, and what they stand on. A crate of macros exports
//! nothing else, so its sources are included.
#![no_main]

#[path = "../../macros/src/args.rs"]
mod args;
#[path = "../../macros/src/body.rs"]
mod body;
#[path = "../../macros/src/entry/mod.rs"]
mod entry;
#[path = "../../macros/src/fuzzing.rs"]
mod fuzzing;
#[path = "../../macros/src/item_fn.rs"]
mod item_fn;
#[path = "../../macros/src/krate.rs"]
mod krate;
#[path = "../../macros/src/tracked/mod.rs"]
mod tracked;

libfuzzer_sys::fuzz_target!(|given: (Vec<u8>, Vec<u8>)| {
    let (args, item) = given;
    fuzzing::attributes(&args, &item);
});
