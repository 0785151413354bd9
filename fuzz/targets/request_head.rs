//! Request heads and queries of the front door.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    millrace_http::fuzz_head(data);
});
