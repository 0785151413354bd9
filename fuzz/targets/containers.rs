//! Every container's sniffer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    millrace_media::fuzz(data);
});
