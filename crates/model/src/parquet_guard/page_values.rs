//! The content of pages: levels, dictionaries and values that are all there.
//!
//! ```text
//! page (version 1):  [length, repetition levels] [length, definition levels] values
//! page (version 2):  repetition levels, definition levels, values     lengths are in the header
//! levels, indices:   runs; a run is a count and a value, or groups of eight values in bits
//! values:            plain, or indices into the dictionary (one byte says their width in bits), or runs of booleans
//! ```
//!
//! Spark writes these encodings unless it is told otherwise; the delta encodings of Parquet's second version are refused.

use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Encoding, Type as PhysicalType};
use parquet::column::page::{Page, PageReader};
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use parquet::file::serialized_reader::SerializedPageReader;

use super::{Leaf, Refusal, Repeated, broken};

/// Checks all pages of a column whose headers have been checked.
///
/// Returns the shape of each list above it, as a hash: equal for columns that share the list, different otherwise.
pub(super) fn check(
    file: &Bytes,
    group: &RowGroupMetaData,
    column: &ColumnChunkMetaData,
    leaf: &Leaf,
) -> Result<Vec<u64>, Refusal> {
    let name = column.column_path().string();
    let named = |reason: String| Refusal::Broken(format!("column `{name}`: {reason}"));
    let failed = |error: parquet::errors::ParquetError| named(error.to_string());
    let n_rows = group.num_rows() as usize;
    let pages = SerializedPageReader::new(Arc::new(file.clone()), column, n_rows, None);
    let mut pages = pages.map_err(failed)?;
    let descriptor = column.column_descr();
    let mut checker = Checker {
        physical: column.column_type(),
        type_length: usize::try_from(descriptor.type_length()).unwrap_or(0),
        max_repetition: level(descriptor.max_rep_level())?,
        max_definition: level(descriptor.max_def_level())?,
        dictionary: None,
        has_data: false,
        n_rows: 0,
        shapes: leaf.repeated.iter().map(|repeated| (repeated.clone(), DefaultHasher::new())).collect(),
    };
    while let Some(page) = pages.get_next_page().map_err(failed)? {
        checker.page(&page).map_err(|refusal| match refusal {
            Refusal::Broken(reason) => named(reason),
            other => other,
        })?;
    }
    match checker.n_rows == n_rows {
        true => Ok(checker.shapes.iter().map(|(_, shape)| shape.finish()).collect()),
        false => Err(named("pages and footer differ in the number of rows".to_owned())),
    }
}

fn level(level: i16) -> Result<u8, Refusal> {
    u8::try_from(level).or_else(|_| broken("column nested too deeply"))
}

struct Checker {
    physical: PhysicalType,
    type_length: usize,
    max_repetition: u8,
    max_definition: u8,
    /// Number of entries.
    dictionary: Option<usize>,
    has_data: bool,
    n_rows: usize,
    /// For each list above the column, where its items begin and whether they are there.
    shapes: Vec<(Repeated, DefaultHasher)>,
}

impl Checker {
    fn page(&mut self, page: &Page) -> Result<(), Refusal> {
        match page {
            Page::DictionaryPage { buf, num_values, encoding, .. } => {
                if self.dictionary.is_some() || self.has_data {
                    return broken("dictionary behind other pages");
                }
                if !matches!(encoding, Encoding::PLAIN | Encoding::PLAIN_DICTIONARY) {
                    return broken(format!("dictionary in an encoding that we do not read: {encoding}"));
                }
                self.plain(buf, *num_values as usize)?;
                self.dictionary = Some(*num_values as usize);
                Ok(())
            }
            Page::DataPage { buf, num_values, encoding, def_level_encoding, rep_level_encoding, .. } => {
                let mut rest: &[u8] = buf;
                let n_values = *num_values as usize;
                let repetition = self.levels_of_version_1(&mut rest, self.max_repetition, *rep_level_encoding)?;
                let definition = self.levels_of_version_1(&mut rest, self.max_definition, *def_level_encoding)?;
                self.data(n_values, repetition, definition, rest, *encoding)
            }
            Page::DataPageV2 { buf, num_values, encoding, def_levels_byte_len, rep_levels_byte_len, .. } => {
                let mut rest: &[u8] = buf;
                let repetition = take(&mut rest, *rep_levels_byte_len as usize)?;
                let definition = take(&mut rest, *def_levels_byte_len as usize)?;
                self.data(*num_values as usize, repetition, definition, rest, *encoding)
            }
        }
    }

    fn levels_of_version_1<'a>(
        &self,
        rest: &mut &'a [u8],
        max_level: u8,
        encoding: Encoding,
    ) -> Result<&'a [u8], Refusal> {
        if max_level == 0 {
            return Ok(&[]);
        }
        if encoding != Encoding::RLE {
            return broken(format!("levels in an encoding that we do not read: {encoding}"));
        }
        take_with_length(rest)
    }

    fn data(
        &mut self,
        n_values: usize,
        repetition: &[u8],
        definition: &[u8],
        values: &[u8],
        encoding: Encoding,
    ) -> Result<(), Refusal> {
        let repetition = levels(repetition, self.max_repetition, n_values)?;
        let definition = levels(definition, self.max_definition, n_values)?;
        // A page may begin inside a row, except the first one.
        if !self.has_data && repetition.first().is_some_and(|&first| first != 0) {
            return broken("first page begins inside a row");
        }
        self.has_data |= n_values > 0;
        self.n_rows += repetition.iter().filter(|&&level| level == 0).count();
        for (repeated, shape) in &mut self.shapes {
            for (&repetition, &definition) in repetition.iter().zip(&definition) {
                if repetition <= repeated.repetition {
                    shape.write_u8(repetition);
                    shape.write_u8(definition.min(repeated.definition));
                }
            }
        }
        let n_stored = definition.iter().filter(|&&level| level == self.max_definition).count();
        self.values(values, n_stored, encoding)
    }

    fn values(&self, values: &[u8], n_stored: usize, encoding: Encoding) -> Result<(), Refusal> {
        match (encoding, self.dictionary) {
            (Encoding::PLAIN, _) => self.plain(values, n_stored),
            (Encoding::RLE, _) if self.physical == PhysicalType::BOOLEAN => {
                let mut rest = values;
                let runs = if n_stored == 0 && rest.is_empty() { rest } else { take_with_length(&mut rest)? };
                Runs { bytes: runs, width: 1, max: 1 }.read(n_stored, |_, _| ())
            }
            (Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY, Some(n_entries)) => {
                let Some((&width, runs)) = values.split_first() else {
                    return if n_stored == 0 { Ok(()) } else { broken("page without indices") };
                };
                if width > 32 {
                    return broken(format!("indices of too many bits: {width}"));
                }
                if n_stored > 0 && n_entries == 0 {
                    return broken("index outside the dictionary");
                }
                let max_index = u32::try_from(n_entries.saturating_sub(1)).unwrap_or(u32::MAX);
                Runs { bytes: runs, width: u32::from(width), max: max_index }.read(n_stored, |_, _| ())
            }
            (Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY, None) => broken("indices without a dictionary"),
            (other, _) => broken(format!("encoding that we do not read: {other}")),
        }
    }

    /// Values one behind the other.
    fn plain(&self, mut bytes: &[u8], n_values: usize) -> Result<(), Refusal> {
        let width = match self.physical {
            PhysicalType::BOOLEAN => return take(&mut bytes, n_values.div_ceil(8)).map(drop),
            PhysicalType::INT32 | PhysicalType::FLOAT => 4,
            PhysicalType::INT64 | PhysicalType::DOUBLE => 8,
            PhysicalType::INT96 => 12,
            PhysicalType::FIXED_LEN_BYTE_ARRAY if self.type_length > 0 => self.type_length,
            PhysicalType::FIXED_LEN_BYTE_ARRAY => return broken("values without a length"),
            PhysicalType::BYTE_ARRAY => {
                return (0..n_values).try_for_each(|_| take_with_length(&mut bytes).map(drop));
            }
        };
        match n_values.checked_mul(width) {
            Some(n_bytes) => take(&mut bytes, n_bytes).map(drop),
            None => broken("values are cut off"),
        }
    }
}

fn take<'a>(rest: &mut &'a [u8], n_bytes: usize) -> Result<&'a [u8], Refusal> {
    match rest.split_at_checked(n_bytes) {
        Some((taken, left)) => {
            *rest = left;
            Ok(taken)
        }
        None => broken("values are cut off"),
    }
}

/// Bytes behind their number, which is of four bytes.
fn take_with_length<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Refusal> {
    let length = take(rest, 4)?;
    let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]);
    take(rest, length as usize)
}

/// Runs of values of `width` bits, none above `max`.
struct Runs<'a> {
    bytes: &'a [u8],
    width: u32,
    max: u32,
}

/// `n_values` levels from 0 to `max_level`; where there is but one level, the page holds none.
fn levels(bytes: &[u8], max_level: u8, n_values: usize) -> Result<Vec<u8>, Refusal> {
    if max_level == 0 {
        return Ok(vec![0; n_values]);
    }
    let mut levels = Vec::new();
    let runs = Runs { bytes, width: u8::BITS - max_level.leading_zeros(), max: u32::from(max_level) };
    runs.read(n_values, |level, count| levels.resize(levels.len() + count, level as u8))?;
    Ok(levels)
}

impl Runs<'_> {
    /// Reads exactly `n_values` values and calls `visit(value, count)` for them, in order. What lies behind them is not
    /// looked at, as the decoder does not.
    fn read(mut self, n_values: usize, mut visit: impl FnMut(u32, usize)) -> Result<(), Refusal> {
        let mut left = n_values;
        while left > 0 {
            let header = self.header()?;
            left -= match header & 1 {
                0 => self.repeated(header >> 1, left, &mut visit)?,
                _ => self.packed(header >> 1, left, &mut visit)?,
            };
        }
        Ok(())
    }

    /// One value many times.
    fn repeated(&mut self, count: u64, left: usize, visit: &mut impl FnMut(u32, usize)) -> Result<usize, Refusal> {
        let bytes = take(&mut self.bytes, self.width.div_ceil(8) as usize)?;
        let value = bytes.iter().rev().fold(0, |value, &byte| value << 8 | u32::from(byte));
        if count == 0 || value > self.max {
            return broken("run without a valid value");
        }
        let n_read = usize::try_from(count).unwrap_or(usize::MAX).min(left);
        visit(value, n_read);
        Ok(n_read)
    }

    /// Groups of eight values in bits, the lowest first.
    fn packed(&mut self, n_groups: u64, left: usize, visit: &mut impl FnMut(u32, usize)) -> Result<usize, Refusal> {
        let n_bytes = n_groups.checked_mul(u64::from(self.width)).and_then(|n_bytes| usize::try_from(n_bytes).ok());
        let Some(n_bytes) = n_bytes.filter(|_| n_groups > 0) else { return broken("run without values") };
        let bytes = take(&mut self.bytes, n_bytes)?;
        let n_read = usize::try_from(n_groups.saturating_mul(8)).unwrap_or(usize::MAX).min(left);
        for position in 0..n_read {
            let value = bits_at(bytes, position, self.width);
            if value > self.max {
                return broken("value out of range");
            }
            visit(value, 1);
        }
        Ok(n_read)
    }

    fn header(&mut self) -> Result<u64, Refusal> {
        let mut header = 0_u64;
        for shift in (0..35).step_by(7) {
            let byte = take(&mut self.bytes, 1)?[0];
            header |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(header);
            }
        }
        broken("run of too many values")
    }
}

/// The value of `width` bits at `position`; the bytes are there.
fn bits_at(bytes: &[u8], position: usize, width: u32) -> u32 {
    let first_bit = position * width as usize;
    let (first_byte, shift) = (first_bit / 8, first_bit % 8);
    let mut window = [0_u8; 8];
    let available = bytes.len().saturating_sub(first_byte).min(8);
    window[..available].copy_from_slice(&bytes[first_byte..first_byte + available]);
    let mask = if width == 32 { u32::MAX } else { (1 << width) - 1 };
    (u64::from_le_bytes(window) >> shift) as u32 & mask
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(runs: &[u8], max_level: u8, n_values: usize, expect: Result<&[u8], &str>) {
        let expect = expect.map(<[u8]>::to_vec).map_err(|reason| Refusal::Broken(reason.to_owned()));
        assert_eq!(levels(runs, max_level, n_values), expect);
    }

    #[test]
    fn runs_of_both_kinds_are_read() {
        check(&[6, 1], 1, 3, Ok(&[1, 1, 1]));
        check(&[6, 0, 3, 0b0000_0101], 1, 8, Ok(&[0, 0, 0, 1, 0, 1, 0, 0]));
        // three bits a value, 0 to 7: the example of Parquet's own documentation
        check(&[3, 0b1000_1000, 0b1100_0110, 0b1111_1010], 7, 8, Ok(&[0, 1, 2, 3, 4, 5, 6, 7]));
        check(&[], 1, 0, Ok(&[]));
        check(&[], 0, 2, Ok(&[0, 0]));
    }

    #[test]
    fn runs_that_end_too_early_or_hold_too_much_are_refused() {
        check(&[6, 1], 1, 4, Err("values are cut off"));
        check(&[6, 2], 1, 3, Err("run without a valid value"));
        check(&[0, 1], 1, 3, Err("run without a valid value"));
        check(&[3], 1, 3, Err("values are cut off"));
        check(&[3, 0b0000_0011], 2, 1, Err("values are cut off"));
        check(&[3, 0b0000_0011, 0], 2, 1, Err("value out of range"));
        check(&[0xff, 0xff, 0xff, 0xff, 0xff, 1], 1, 3, Err("run of too many values"));
    }

    #[test]
    fn values_wider_than_a_byte_are_put_together() {
        assert_eq!(bits_at(&[0xff, 0xff, 0xff, 0xff, 0xff], 0, 32), u32::MAX);
        assert_eq!(bits_at(&[0, 0b0000_1000, 0b0000_0001], 1, 11), 0b00_0010_0001);
    }
}
