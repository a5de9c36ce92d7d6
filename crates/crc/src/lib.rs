//! The checksums of HDFS, CRC-32C and CRC-32, by the processor's own instructions.
//!
//! Every 512 bytes that are read from or written to HDFS have one. hdfs-native takes them from the crate `crc`, whose tables
//! were a quarter of the CPU time of a read. This crate has the same name and the names that hdfs-native uses of it, and
//! stands in its place (`[patch.crates-io]` in the workspace's `Cargo.toml`); what it computes with is crc-fast, which finds
//! out at run time what the processor can do, and has tables for one that can nothing.
//!
//! ```
//! use crc::{CRC_32_ISCSI, Crc, Table};
//!
//! const CRC32C: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);
//! assert_eq!(CRC32C.checksum(b"123456789"), 0xE306_9283);
//!
//! let mut digest = CRC32C.digest();
//! digest.update(b"12345");
//! digest.update(b"6789");
//! assert_eq!(digest.finalize(), 0xE306_9283);
//! ```
//! A program of another workspace that has ours as a library gets the crate from outside unless it patches too: the same
//! checksums, slower.

use std::marker::PhantomData;

use crc_fast::CrcAlgorithm;

/// A checksum of `W` that this crate can compute.
#[derive(Debug)]
pub struct Algorithm<W> {
    which: Which,
    width: PhantomData<W>,
}

#[derive(Debug, Clone, Copy)]
enum Which {
    Castagnoli,
    IsoHdlc,
}

/// CRC-32C, as iSCSI has it: HDFS's own choice.
pub const CRC_32_ISCSI: Algorithm<u32> = Algorithm { which: Which::Castagnoli, width: PhantomData };

/// CRC-32, as gzip and `java.util.zip.CRC32` have it: `dfs.checksum.type` may name it.
pub const CRC_32_ISO_HDLC: Algorithm<u32> = Algorithm { which: Which::IsoHdlc, width: PhantomData };

/// How the crate from outside is told to compute: by `L` tables. Here it says nothing.
#[derive(Debug, Clone, Copy)]
pub struct Table<const L: usize>;

/// A checksum, ready to be computed.
#[derive(Debug, Clone)]
pub struct Crc<W: 'static, I> {
    /// What is computed.
    pub algorithm: &'static Algorithm<W>,
    how: PhantomData<I>,
}

impl<I> Crc<u32, I> {
    /// Computes `algorithm`.
    pub const fn new(algorithm: &'static Algorithm<u32>) -> Crc<u32, I> {
        Crc { algorithm, how: PhantomData }
    }

    /// The checksum of `bytes`; 0 of none.
    #[inline]
    pub fn checksum(&self, bytes: &[u8]) -> u32 {
        self.algorithm.which.checksum(bytes)
    }

    /// The checksum of bytes that come piece by piece.
    #[inline]
    pub fn digest(&self) -> Digest<'_, u32, I> {
        Digest { crc: self, value: 0 }
    }
}

/// The checksum of the pieces so far.
#[derive(Debug, Clone)]
pub struct Digest<'a, W: 'static, I> {
    crc: &'a Crc<W, I>,
    value: W,
}

impl<I> Digest<'_, u32, I> {
    /// Takes the next piece.
    #[inline]
    pub fn update(&mut self, bytes: &[u8]) {
        self.value = self.crc.algorithm.which.append(self.value, bytes);
    }

    /// The checksum of all pieces.
    #[inline]
    pub fn finalize(self) -> u32 {
        self.value
    }
}

impl Which {
    #[inline]
    fn checksum(self, bytes: &[u8]) -> u32 {
        match self {
            Which::Castagnoli => crc_fast::crc32_iscsi(bytes),
            Which::IsoHdlc => crc_fast::crc32_iso_hdlc(bytes),
        }
    }

    /// The checksum of bytes of which those before `bytes` have `checksum`.
    #[inline]
    fn append(self, checksum: u32, bytes: &[u8]) -> u32 {
        // Nothing came before, or something after which one begins anew: hdfs-native nearly always hands a chunk over whole.
        if checksum == 0 {
            return self.checksum(bytes);
        }
        let algorithm = match self {
            Which::Castagnoli => CrcAlgorithm::Crc32Iscsi,
            Which::IsoHdlc => CrcAlgorithm::Crc32IsoHdlc,
        };
        let mut digest = crc_fast::Digest::new_with_init_state(algorithm, u64::from(!checksum));
        digest.update(bytes);
        digest.finalize() as u32
    }
}
