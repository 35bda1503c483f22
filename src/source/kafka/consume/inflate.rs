//! Decompresses the records of a batch. Pure.
//!
//! It must not make more of a batch than [`LARGEST`]: a few kilobytes can claim to be gigabytes.

use std::io::{self, Read};

/// Bytes that the records of one batch may have: a broker's largest message by default, a hundred times over.
const LARGEST: usize = 100 << 20;
/// How snappy-java begins its own framing, which Java's producer writes.
const XERIAL: &[u8] = b"\x82SNAPPY\0";
/// Bytes of that header: the magic, then two version numbers.
const XERIAL_HEADER: usize = 16;

/// How a batch is compressed, as its attributes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    Plain,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl Codec {
    /// From the attributes of a batch; `None` when the number means nothing yet.
    pub(super) const fn of(attributes: i16) -> Option<Self> {
        match attributes & 0x07 {
            0 => Some(Self::Plain),
            1 => Some(Self::Gzip),
            2 => Some(Self::Snappy),
            3 => Some(Self::Lz4),
            4 => Some(Self::Zstd),
            _ => None,
        }
    }

    /// Decompresses `input` into `output`, whose old content is dropped.
    pub(super) fn inflate(self, input: &[u8], output: &mut Vec<u8>) -> io::Result<()> {
        output.clear();
        match self {
            Self::Plain => {
                output.extend_from_slice(input);
                Ok(())
            }
            Self::Gzip => limited(flate2::read::MultiGzDecoder::new(input), output),
            Self::Snappy => snappy(input, output),
            Self::Lz4 => limited(lz4_flex::frame::FrameDecoder::new(input), output),
            Self::Zstd => limited(zstd::stream::read::Decoder::with_buffer(input)?, output),
        }
    }
}

fn limited(reader: impl Read, output: &mut Vec<u8>) -> io::Result<()> {
    let read = reader.take(LARGEST as u64 + 1).read_to_end(output)?;
    if read > LARGEST { Err(too_large()) } else { Ok(()) }
}

fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the batch is over 100 MiB when decompressed")
}

fn snappy(input: &[u8], output: &mut Vec<u8>) -> io::Result<()> {
    if !input.starts_with(XERIAL) {
        return snappy_block(input, output);
    }
    let mut rest = input.get(XERIAL_HEADER..).unwrap_or_default();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let cut = || io::Error::new(io::ErrorKind::UnexpectedEof, "a snappy block is cut off");
        let (block, after) = after.split_at_checked(length).ok_or_else(cut)?;
        snappy_block(block, output)?;
        rest = after;
    }
    Ok(())
}

fn snappy_block(block: &[u8], output: &mut Vec<u8>) -> io::Result<()> {
    let before = output.len();
    let after = before.saturating_add(snap::raw::decompress_len(block)?);
    if after > LARGEST {
        return Err(too_large());
    }
    output.resize(after, 0);
    let room = output.get_mut(before..).unwrap_or_default();
    snap::raw::Decoder::new().decompress(block, room)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn there_and_back(codec: Codec, packed: &[u8], plain: &[u8]) {
        let mut output = b"old".to_vec();
        codec.inflate(packed, &mut output).unwrap();
        assert_eq!(output, plain, "{codec:?}");
        let cut = &packed[..packed.len() / 2];
        let cut_is_seen = codec.inflate(cut, &mut output).is_err() || output != plain;
        assert!(cut_is_seen, "{codec:?}");
    }

    #[test]
    fn every_codec_gives_back_what_was_packed() {
        let plain: Vec<u8> = (0..200_000_u32).flat_map(|number| (number / 7).to_le_bytes()).collect();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&plain).unwrap();
        there_and_back(Codec::Gzip, &gzip.finish().unwrap(), &plain);
        let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
        lz4.write_all(&plain).unwrap();
        there_and_back(Codec::Lz4, &lz4.finish().unwrap(), &plain);
        there_and_back(Codec::Zstd, &zstd::stream::encode_all(&plain[..], 1).unwrap(), &plain);
        there_and_back(Codec::Snappy, &snap::raw::Encoder::new().compress_vec(&plain).unwrap(), &plain);
        let mut framed = [XERIAL, &[0, 0, 0, 1, 0, 0, 0, 1]].concat();
        for block in plain.chunks(32 << 10) {
            let packed = snap::raw::Encoder::new().compress_vec(block).unwrap();
            framed.extend(u32::try_from(packed.len()).unwrap().to_be_bytes());
            framed.extend(packed);
        }
        there_and_back(Codec::Snappy, &framed, &plain);
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let zeros = io::repeat(0).take(LARGEST as u64 + (1 << 20));
        let mut bomb = zstd::stream::read::Encoder::new(zeros, 1).unwrap();
        let mut packed = Vec::new();
        bomb.read_to_end(&mut packed).unwrap();
        assert!(packed.len() < 1 << 20, "{}", packed.len());
        let mut output = Vec::new();
        assert!(Codec::Zstd.inflate(&packed, &mut output).is_err());
        assert!(output.len() <= LARGEST + 1);
        let claim = [0xff, 0xff, 0xff, 0xff, 0x0f, 0x00];
        assert!(Codec::Snappy.inflate(&claim, &mut output).is_err());
    }
}
