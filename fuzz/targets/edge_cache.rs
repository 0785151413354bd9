//! Headers of answers that may be kept, and of requests for them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    millrace_http::fuzz_cache(data);
});
