//! Pictures into files.

use std::sync::Arc;

use bytes::Bytes;

use super::Picture;

/// What a snapshot can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
}

impl Format {
    /// Its media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
        }
    }
}

/// A picture that could not be encoded.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// By the JPEG encoder.
    #[error("as JPEG: {0}")]
    Jpeg(#[from] jpeg_encoder::EncodingError),
    /// By the PNG encoder.
    #[error("as PNG: {0}")]
    Png(#[from] png::EncodingError),
    /// The thread that did it is gone.
    #[error("the encoder was stopped")]
    Stopped,
}

/// Encodes, away from the threads that serve. `quality` (1 to 100) is JPEG's.
pub async fn encode(picture: Arc<Picture>, format: Format, quality: u8) -> Result<Bytes, EncodeError> {
    let encoding = tokio::task::spawn_blocking(move || match format {
        Format::Jpeg => jpeg(&picture, quality),
        Format::Png => png(&picture),
    });
    encoding.await.unwrap_or(Err(EncodeError::Stopped)).map(Bytes::from)
}

fn jpeg(picture: &Picture, quality: u8) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut out, quality);
    if quality < 90 {
        encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::R_4_2_0);
    }
    encoder.encode(&picture.rgb, picture.width, picture.height, jpeg_encoder::ColorType::Rgb)?;
    Ok(out)
}

fn png(picture: &Picture) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, picture.width.into(), picture.height.into());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::Fast);
    encoder.write_header()?.write_image_data(&picture.rgb)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn quality_decides_on_the_size_and_png_keeps_every_pixel() {
        let rgb: Vec<u8> =
            (0..64 * 48 * 3_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let picture = Arc::new(Picture { width: 64, height: 48, rgb });
        let low = encode(picture.clone(), Format::Jpeg, 20).await.unwrap();
        let high = encode(picture.clone(), Format::Jpeg, 95).await.unwrap();
        assert!(low.starts_with(&[0xff, 0xd8]) && low.len() * 2 < high.len());
        let file = encode(picture.clone(), Format::Png, 1).await.unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        assert_eq!(pixels, picture.rgb);
    }
}
