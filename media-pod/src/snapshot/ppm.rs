//! Pictures as the decoder gives them: binary PPM, one after the other.

/// A decoded picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Pixels per line, 1 to 16,384.
    pub width: u16,
    /// Lines, 1 to 16,384.
    pub height: u16,
    /// Red, green, blue, line by line from the top.
    pub rgb: Vec<u8>,
}

const LARGEST: u16 = 16_384;

/// Takes the first picture off the front of `bytes`. `Ok(None)`: there is no whole one yet.
pub fn take(bytes: &mut Vec<u8>) -> Result<Option<Picture>, PpmError> {
    let Some((width, height, at)) = header(bytes)? else { return Ok(None) };
    let size = usize::from(width) * usize::from(height) * 3;
    if bytes.len() < at + size {
        return Ok(None);
    }
    let rest = bytes.split_off(at + size);
    let mut rgb = std::mem::replace(bytes, rest);
    rgb.drain(..at);
    Ok(Some(Picture { width, height, rgb }))
}

/// What the decoder gave is no PPM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the decoder gave something else than pictures of up to 16384 x 16384")]
pub struct PpmError;

fn header(bytes: &[u8]) -> Result<Option<(u16, u16, usize)>, PpmError> {
    let head = bytes.get(..bytes.len().min(64)).unwrap_or_default();
    let mut fields = [0_u16; 3];
    let mut at = 2;
    if head.len() < 2 {
        return Ok(None);
    }
    if !head.starts_with(b"P6") {
        return Err(PpmError);
    }
    for field in &mut fields {
        let digits_from =
            at + head.get(at..).unwrap_or_default().iter().take_while(|b| b.is_ascii_whitespace()).count();
        let digits =
            head.get(digits_from..).unwrap_or_default().iter().take_while(|b| b.is_ascii_digit()).count();
        at = digits_from + digits;
        if at >= head.len() {
            return if head.len() < 64 { Ok(None) } else { Err(PpmError) };
        }
        let text = head.get(digits_from..at).and_then(|text| std::str::from_utf8(text).ok());
        *field = text.and_then(|text| text.parse().ok()).ok_or(PpmError)?;
    }
    let [width, height, depth] = fields;
    let fits = (1..=LARGEST).contains(&width) && (1..=LARGEST).contains(&height) && depth == 255;
    if fits { Ok(Some((width, height, at + 1))) } else { Err(PpmError) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pictures_are_taken_one_by_one() {
        let mut bytes = b"P6\n2 1\n255\nabcdefP6 1 1 255 xyzP6\n9".to_vec();
        assert_eq!(take(&mut bytes), Ok(Some(Picture { width: 2, height: 1, rgb: b"abcdef".to_vec() })));
        assert_eq!(take(&mut bytes), Ok(Some(Picture { width: 1, height: 1, rgb: b"xyz".to_vec() })));
        assert_eq!(take(&mut bytes), Ok(None));
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        for wrong in
            ["P5\n1 1\n255\n", "P6\n0 1\n255\n.", "P6\n99999 1\n255\n.", "P6\n1 1\n65535\n.", "GIF89a"]
        {
            assert_eq!(take(&mut wrong.as_bytes().to_vec()), Err(PpmError), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), real in any::<bool>()) {
            if real {
                bytes.splice(0..0, *b"P6 ");
            }
            let _ = take(&mut bytes);
        }
    }
}
