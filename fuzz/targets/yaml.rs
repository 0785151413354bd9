//! The configuration reader.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    millrace_crds::fuzz::file(data);
});
