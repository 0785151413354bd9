//! Configuration for tests. JSON is YAML, too.

use serde_json::{Value, json};

/// One document of a file.
pub fn resource(kind: &str, name: &str, spec: &Value) -> String {
    let document = json!({
        "apiVersion": "millrace.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec
    });
    format!("---\n{document}\n")
}

/// The fields of both.
pub fn merged(mut spec: Value, more: &Value) -> Value {
    if let (Some(fields), Some(more)) = (spec.as_object_mut(), more.as_object()) {
        fields.extend(more.clone());
    }
    spec
}

/// A Feed whose source is `argv`.
pub fn feed(name: &str, argv: &[String]) -> String {
    resource("Feed", name, &json!({"source": {"command": argv}}))
}

/// A Stream.
pub fn stream(name: &str, spec: &Value) -> String {
    resource("Stream", name, spec)
}

/// Words of a command line that are parted by single blanks.
pub fn words(line: &str) -> Vec<String> {
    line.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// ffmpeg, live from `filter`, encoded by H.264 with a random access point every `gop` frames, as MPEG-TS; `more` are
/// arguments before its output.
pub fn live(filter: &str, gop: u32, more: &str) -> Vec<String> {
    let mut argv = words("ffmpeg -nostdin -hide_banner -loglevel error -re -f lavfi -i");
    argv.push(filter.to_owned());
    argv.extend(words("-c:v libx264 -preset ultrafast -tune zerolatency -pix_fmt yuv420p"));
    argv.extend(words(&format!("-g {gop} -keyint_min {gop} -sc_threshold 0 {more}")));
    argv.extend(words("-f mpegts -muxdelay 0 -muxpreload 0 -pes_payload_size 0 -flush_packets 1 {output}"));
    argv
}

/// A small test pattern, 10 pictures a second, and a tone.
pub const PATTERN: &str = "testsrc2=size=160x120:rate=10[out0];sine=frequency=440:sample_rate=48000[out1]";

/// ffmpeg, from the one feed of a stream into something else: `to` are its arguments after the input.
pub fn remux(to: &str) -> Vec<String> {
    let mut argv =
        words("ffmpeg -nostdin -hide_banner -loglevel error -probesize 1M -analyzeduration 200k -f mpegts");
    argv.extend(words("-i {input}"));
    argv.extend(words(to));
    argv.push("{output}".to_owned());
    argv
}
