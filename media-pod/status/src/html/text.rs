//! Text from anywhere, made harmless in HTML and honest to the eye.

use std::fmt::{self, Write};

/// Longer texts are cut here, in characters: no single value may fill the page.
const MAX_CHARS: usize = 4000;

/// Text to be written into an element or a quoted attribute.
///
/// Markup is escaped. What would be invisible, or turn the text around it (control characters, bidirectional
/// overrides, characters of no width), is written out, so that nothing can look like something else.
#[derive(Clone, Copy)]
pub(super) struct Text<'a> {
    text: &'a str,
    max_chars: usize,
}

/// `text`, up to a length that nobody reads to the end.
pub(super) fn text(text: &str) -> Text<'_> {
    Text { text, max_chars: MAX_CHARS }
}

/// `text`, up to `max_chars` characters.
pub(super) fn short(text: &str, max_chars: usize) -> Text<'_> {
    Text { text, max_chars }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.text.char_indices().nth(self.max_chars).map(|(at, _)| at);
        let shown = end.and_then(|at| self.text.get(..at)).unwrap_or(self.text);
        let mut plain = 0; // where the run of harmless characters began
        for (at, c) in shown.char_indices() {
            let Some(instead) = replacement(c) else { continue };
            f.write_str(shown.get(plain..at).unwrap_or_default())?;
            plain = at + c.len_utf8();
            match instead {
                Instead::Markup(entity) => f.write_str(entity)?,
                Instead::Picture(picture) => f.write_char(picture)?,
                Instead::Code => write!(f, "\\u{{{:x}}}", u32::from(c))?,
            }
        }
        f.write_str(shown.get(plain..).unwrap_or_default())?;
        if end.is_some() { f.write_char('…') } else { Ok(()) }
    }
}

enum Instead {
    Markup(&'static str),
    Picture(char),
    Code,
}

fn replacement(c: char) -> Option<Instead> {
    Some(match c {
        '&' => Instead::Markup("&amp;"),
        '<' => Instead::Markup("&lt;"),
        '>' => Instead::Markup("&gt;"),
        '"' => Instead::Markup("&quot;"),
        '\'' => Instead::Markup("&#39;"),
        '`' => Instead::Markup("&#96;"),
        '\t' => Instead::Markup(" "),
        '\u{0}'..='\u{1f}' => Instead::Picture(char::from_u32(0x2400 + u32::from(c))?),
        '\u{7f}' => Instead::Picture('\u{2421}'),
        // Joiners (200C, 200D) stay: scripts and emoji are spelt with them.
        '\u{80}'..='\u{9f}'
        | '\u{ad}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'
        | '\u{200e}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{fdd0}'..='\u{fdef}'
        | '\u{fffe}'..='\u{ffff}'
        | '\u{e0000}'..='\u{e0fff}' => Instead::Code,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_escaped_in_elements_and_attributes() {
        assert_eq!(
            text("<script>alert(\"1\" & '2' + `3`)</script>").to_string(),
            "&lt;script&gt;alert(&quot;1&quot; &amp; &#39;2&#39; + &#96;3&#96;)&lt;/script&gt;"
        );
    }

    #[test]
    fn what_cannot_be_seen_is_written_out() {
        assert_eq!(text("a\u{202e}gpj.exe").to_string(), "a\\u{202e}gpj.exe");
        assert_eq!(text("\u{1b}[31mred\0\r\n\u{7f}").to_string(), "␛[31mred␀␍␊␡");
        assert_eq!(text("a\u{200b}b\u{feff}\u{85}").to_string(), "a\\u{200b}b\\u{feff}\\u{85}");
        assert_eq!(text("tab\there").to_string(), "tab here");
    }

    #[test]
    fn other_scripts_stay_as_they_are() {
        for sample in ["Überwachung", "камера", "مخيم", "👩\u{200d}🚒", "カメラ"] {
            assert_eq!(text(sample).to_string(), sample);
        }
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(short("ääää", 4).to_string(), "ääää");
        assert_eq!(short("äääää", 4).to_string(), "ääää…");
        assert_eq!(short("<<<<", 2).to_string(), "&lt;&lt;…");
        assert_eq!(text(&"x".repeat(1 << 20)).to_string().chars().count(), MAX_CHARS + 1);
    }

    #[test]
    fn no_character_can_leave_an_element_or_an_attribute() {
        for c in '\0'..=char::MAX {
            let written = text(c.encode_utf8(&mut [0; 4])).to_string();
            assert!(!written.contains(['<', '>', '"', '\'', '`', '\0', '\n', '\u{202e}']), "{c:?}");
            assert!(!written.contains('&') || written.ends_with(';'), "{c:?}");
        }
    }
}
