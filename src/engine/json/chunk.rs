//! Several bytes at a time.

use wide::u8x16;

/// Bytes that [`stops`] looks at.
pub(super) const WIDTH: usize = 16;
/// Powers of ten.
pub(super) const POWERS: [i64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// A bit for each quote, backslash and control byte, the first byte's lowest.
pub(super) fn stops(bytes: &[u8; WIDTH]) -> u32 {
    let bytes = u8x16::new(*bytes);
    let quotes = bytes.simd_eq(u8x16::splat(b'"'));
    let backslashes = bytes.simd_eq(u8x16::splat(b'\\'));
    let controls = bytes.min(u8x16::splat(0x1f)).simd_eq(bytes);
    (quotes | backslashes | controls).to_bitmask()
}

/// The number that the leading digits make, and how many there are.
pub(super) const fn digits(bytes: [u8; 8]) -> (i64, usize) {
    let digits = u64::from_le_bytes(bytes) ^ 0x3030_3030_3030_3030;
    // The lowest bit that is set is in the first byte that is no digit; those above may be false.
    let others = (digits.wrapping_add(0x7676_7676_7676_7676) | digits) & 0x8080_8080_8080_8080;
    let count = others.trailing_zeros() / 8;
    if count == 0 {
        return (0, 0);
    }
    let digits = digits << (64 - 8 * count);
    let pairs = (digits.wrapping_mul(10).wrapping_add(digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100).wrapping_add(pairs >> 16)) & 0x0000_ffff_0000_ffff;
    let eight = (fours.wrapping_mul(10_000).wrapping_add(fours >> 32)) & 0xffff_ffff;
    (eight.cast_signed(), count as usize)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn stops_are_where_a_loop_finds_them(bytes in prop::array::uniform16(prop_oneof![any::<u8>(), 0x1e..0x24_u8, Just(b'\\')])) {
            let expected = bytes.iter().enumerate().fold(0, |bits, (index, byte)| {
                bits | (u32::from(matches!(byte, b'"' | b'\\' | 0..0x20)) << index)
            });
            prop_assert_eq!(stops(&bytes), expected);
        }

        #[test]
        fn digits_are_what_a_loop_finds(bytes in prop::array::uniform8(prop_oneof![5 => b'0'..=b'9', 1 => any::<u8>(), 1 => 0x2e..0x3c_u8])) {
            let count = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let value = bytes[..count].iter().fold(0, |value, byte| value * 10 + i64::from(byte - b'0'));
            prop_assert_eq!(digits(bytes), (value, count));
        }
    }
}
