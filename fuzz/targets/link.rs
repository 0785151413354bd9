//! Everything that either end of a link reads, and addresses of streams.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    millrace_link::fuzz_parsers(data);
});
