//! What either end of the status connection reads.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    millrace_report::fuzz::frames(data);
});
