//! The last lines of a command's stderr, in bounded memory.

use std::collections::VecDeque;

/// How many lines are kept.
const LINES: usize = 40;
/// The longest line kept, in bytes.
const LINE: usize = 512;
/// How much of a line is looked at before it is cleaned and cut.
const RAW: usize = 4096;

/// Keeps the last lines. A carriage return without a line feed begins the line anew, as on a terminal, so that a
/// progress line that is rewritten a thousand times is one line.
pub(crate) struct Tail {
    lines: VecDeque<String>,
    current: Vec<u8>,
    cut: bool,
    returned: bool,
    secrets: Vec<String>,
}

/// Says nothing of lines and secrets.
impl std::fmt::Debug for Tail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tail").field("lines", &self.lines.len()).finish_non_exhaustive()
    }
}

impl Tail {
    /// `secrets` are replaced in every line.
    pub(crate) fn new(mut secrets: Vec<String>) -> Self {
        secrets.retain(|secret| !secret.is_empty());
        // the longest first, lest a part of it be replaced and the rest stay
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self {
            lines: VecDeque::with_capacity(LINES),
            current: Vec::new(),
            cut: false,
            returned: false,
            secrets,
        }
    }

    /// Takes the next bytes. Returns how many lines they ended.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) -> usize {
        let mut ended = 0;
        while !bytes.is_empty() {
            let end = memchr::memchr2(b'\n', b'\r', bytes);
            let (text, rest) = bytes.split_at_checked(end.unwrap_or(bytes.len())).unwrap_or((bytes, &[]));
            self.text(text);
            let Some((mark, rest)) = rest.split_first() else { break };
            if *mark == b'\n' {
                self.end_line();
                ended += 1;
            } else {
                self.returned = true;
            }
            bytes = rest;
        }
        ended
    }

    fn text(&mut self, text: &[u8]) {
        if text.is_empty() {
            return;
        }
        if std::mem::take(&mut self.returned) {
            self.current.clear();
            self.cut = false;
        }
        let room = RAW.saturating_sub(self.current.len());
        self.cut |= text.len() > room;
        self.current.extend_from_slice(text.get(..room).unwrap_or(text));
    }

    fn end_line(&mut self) {
        self.returned = false;
        let line = self.clean();
        self.current.clear();
        self.cut = false;
        if !line.is_empty() {
            if self.lines.len() == LINES {
                self.lines.pop_front();
            }
            self.lines.push_back(line);
        }
    }

    /// The lines, oldest first; the one that is still being written is the last.
    pub(crate) fn lines(&self) -> Vec<String> {
        let unfinished = Some(self.clean()).filter(|line| !line.is_empty());
        let skip = (self.lines.len() + usize::from(unfinished.is_some())).saturating_sub(LINES);
        self.lines.iter().skip(skip).cloned().chain(unfinished).collect()
    }

    /// The newest whole lines, at most `count`, oldest first.
    pub(crate) fn newest(&self, count: usize) -> impl Iterator<Item = &str> {
        self.lines.iter().skip(self.lines.len().saturating_sub(count)).map(String::as_str)
    }

    fn clean(&self) -> String {
        let mut line = without_controls(&String::from_utf8_lossy(&self.current));
        for secret in &self.secrets {
            if line.contains(secret.as_str()) {
                line = line.replace(secret.as_str(), "***");
            }
        }
        if self.cut {
            self.drop_begun_secret(&mut line);
        }
        let mut end = line.len().min(LINE);
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        line.truncate(end);
        line.truncate(line.trim_end().len());
        line
    }

    /// Where a line was cut, it may end in the beginning of a secret.
    fn drop_begun_secret(&self, line: &mut String) {
        let begun = |secret: &String| {
            (1..secret.len())
                .rev()
                .filter_map(|end| secret.get(..end))
                .find(|begin| line.trim_end_matches('\u{fffd}').ends_with(begin))
                .map(str::len)
        };
        if let Some(length) = self.secrets.iter().filter_map(begun).max() {
            let end = line.trim_end_matches('\u{fffd}').len().saturating_sub(length);
            line.truncate(end);
        }
    }
}

/// Without control characters and terminal sequences (ECMA-48 CSI); a tab is a space.
fn without_controls(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\u{1b}' => {
                if chars.next_if_eq(&'[').is_some() {
                    while chars.next_if(|next| matches!(next, ' '..='?')).is_some() {}
                    let _ = chars.next_if(|next| matches!(next, '@'..='~'));
                }
            }
            '\t' => clean.push(' '),
            _ if char.is_control() => {}
            _ => clean.push(char),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(text: &[u8], secrets: &[&str]) -> Vec<String> {
        let mut tail = Tail::new(secrets.iter().map(|secret| (*secret).to_owned()).collect());
        tail.push(text);
        tail.lines()
    }

    #[test]
    fn a_progress_line_is_one_line_and_shows_its_last_state() {
        assert_eq!(tail(b"begin\nframe=1\rframe=2\rframe=3", &[]), ["begin", "frame=3"]);
        assert_eq!(tail(b"frame=1\rframe=2\r\ndone\r\n", &[]), ["frame=2", "done"]);
        assert_eq!(tail(b"frame=1\r", &[]), ["frame=1"]);
    }

    #[test]
    fn forty_lines_of_512_bytes_are_kept() {
        let mut tail = Tail::new(Vec::new());
        for number in 0..1000 {
            tail.push(format!("{number} {}\n", "x".repeat(5000)).as_bytes());
        }
        tail.push(b"unfinished");
        let lines = tail.lines();
        assert_eq!(lines.len(), 40);
        assert!(lines[0].starts_with("961 "));
        assert_eq!(lines[39], "unfinished");
        assert!(lines.iter().all(|line| line.len() <= 512));
    }

    #[test]
    fn controls_and_terminal_sequences_are_cleaned() {
        assert_eq!(tail(b"\x1b[31;1mred\x1b[0m\tx\x07\x00\xff\n", &[]), ["red x\u{fffd}"]);
    }

    #[test]
    fn secrets_are_replaced_even_across_reads_and_at_the_cut() {
        let mut split = Tail::new(vec!["s3cret".into(), "s3cret-longer".into()]);
        split.push(b"url rtmp://x/s3c");
        split.push(b"ret-longer failed\n");
        assert_eq!(split.lines(), ["url rtmp://x/*** failed"]);
        let long = "s3cret".repeat(1000);
        for pad in 0..6 {
            let lines = tail(format!("{}{long}", "-".repeat(pad)).as_bytes(), &["s3cret"]);
            assert!(!lines[0].contains("s3"), "{lines:?}");
        }
    }

    #[test]
    fn empty_lines_are_no_lines() {
        assert!(tail(b"\n\n  \n\r\n", &[]).is_empty());
    }
}
