//! The protocol between client, agent and supervisor.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    millrace_exec::fuzz_parsers(data);
});
