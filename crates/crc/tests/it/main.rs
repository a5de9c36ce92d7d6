//! Checksums beside their definition, worked out bit by bit, and beside the values that others publish.

use crc::{CRC_32_ISCSI, CRC_32_ISO_HDLC, Crc, Table};

const CRC32C: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);
const CRC32: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISO_HDLC);

/// Each checksum with its polynomial, lowest power first.
const BOTH: [(&Crc<u32, Table<16>>, u32); 2] = [(&CRC32C, 0x82F6_3B78), (&CRC32, 0xEDB8_8320)];

/// The checksums of all beginnings of `bytes`, the empty one first.
fn by_definition(polynomial: u32, bytes: &[u8]) -> Vec<u32> {
    let mut state = !0;
    let mut checksums = vec![!state];
    for byte in bytes {
        state ^= u32::from(*byte);
        for _ in 0..8 {
            state = if state & 1 == 1 { state >> 1 ^ polynomial } else { state >> 1 };
        }
        checksums.push(!state);
    }
    checksums
}

/// Bytes without a pattern: a linear congruential generator, whose high bits are good enough.
fn bytes(n: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..n).map(|_| next()).collect()
}

#[test]
fn the_published_check_values_come_out() {
    // https://reveng.sourceforge.io/crc-catalogue/17plus.htm
    assert_eq!(CRC32C.checksum(b"123456789"), 0xE306_9283);
    assert_eq!(CRC32.checksum(b"123456789"), 0xCBF4_3926);
    // RFC 3720, B.4: 32 bytes of zeros, of ones, and counting up.
    assert_eq!(CRC32C.checksum(&[0; 32]), 0x8A91_36AA);
    assert_eq!(CRC32C.checksum(&[0xFF; 32]), 0x62A8_AB43);
    assert_eq!(CRC32C.checksum(&(0..32).collect::<Vec<u8>>()), 0x46DD_794E);
}

#[test]
fn every_length_at_every_alignment_is_as_defined() {
    const N_ALIGNMENTS: usize = 64;
    const LONGEST: usize = 1_200;
    let held = bytes(N_ALIGNMENTS + LONGEST, 1);
    for (crc, polynomial) in BOTH {
        for start in 0..N_ALIGNMENTS {
            let checksums = by_definition(polynomial, &held[start..start + LONGEST]);
            for (n, expect) in checksums.iter().enumerate() {
                assert_eq!(crc.checksum(&held[start..start + n]), *expect, "{n} bytes from {start}");
            }
        }
    }
}

#[test]
fn long_inputs_are_as_defined() {
    let held = bytes(1 << 18, 2);
    for (crc, polynomial) in BOTH {
        let checksums = by_definition(polynomial, &held);
        for n in [4_095, 4_096, 4_097, 65_016, 65_536, 131_071, 1 << 18] {
            assert_eq!(crc.checksum(&held[..n]), checksums[n], "{n} bytes");
        }
    }
}

#[test]
fn pieces_are_as_the_whole_wherever_they_are_cut() {
    let held = bytes(700, 3);
    for (crc, polynomial) in BOTH {
        let expect = by_definition(polynomial, &held)[held.len()];
        for cut in 0..=held.len() {
            let mut digest = crc.digest();
            digest.update(&held[..cut]);
            digest.update(&[]);
            digest.update(&held[cut..]);
            assert_eq!(digest.finalize(), expect, "cut at {cut}");
        }
    }
}

#[test]
fn pieces_after_a_checksum_of_zero_count_on() {
    // Four bytes can bring any state about: with these, a checksum of zero.
    for (crc, polynomial) in BOTH {
        let beginning = with_checksum_zero(polynomial, &bytes(20, 4));
        assert_eq!(crc.checksum(&beginning), 0);
        let end = bytes(90, 5);
        let mut digest = crc.digest();
        digest.update(&beginning);
        digest.update(&end);
        let whole = [beginning, end].concat();
        assert_eq!(digest.finalize(), by_definition(polynomial, &whole)[whole.len()]);
    }
}

/// `bytes`, and four more, so that the checksum is zero.
fn with_checksum_zero(polynomial: u32, bytes: &[u8]) -> Vec<u8> {
    let state = !by_definition(polynomial, bytes)[bytes.len()];
    // The state is to become all ones; worked backwards, bit by bit, that is the state before four bytes of zeros.
    let mut before = !0_u32;
    for _ in 0..32 {
        before = if before >> 31 == 1 { (before ^ polynomial) << 1 | 1 } else { before << 1 };
    }
    [bytes, &(state ^ before).to_le_bytes()].concat()
}

#[test]
fn a_flipped_bit_is_noticed() {
    let mut chunk = bytes(512, 6);
    for (crc, _) in BOTH {
        let checksum = crc.checksum(&chunk);
        for bit in 0..chunk.len() * 8 {
            chunk[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(crc.checksum(&chunk), checksum, "bit {bit}");
            chunk[bit / 8] ^= 1 << (bit % 8);
        }
    }
}
