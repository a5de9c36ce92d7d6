//! What stands before a datum.

/// The first byte of a record that names its schema.
const MAGIC: u8 = 0;

/// What stands before a datum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Nothing: all records are of one schema.
    Plain,
    /// A byte 0 and the number of the schema in a registry, four bytes big-endian, as Confluent's serializers write it.
    SchemaId,
}

/// What stands before a datum of the schema with this number.
pub fn frame(schema_id: u32) -> [u8; 5] {
    let [a, b, c, d] = schema_id.to_be_bytes();
    [MAGIC, a, b, c, d]
}

/// The number of the schema and the datum; None for a record that names none.
pub(super) fn split(record: &[u8]) -> Option<(u32, &[u8])> {
    match record {
        [MAGIC, a, b, c, d, datum @ ..] => Some((u32::from_be_bytes([*a, *b, *c, *d]), datum)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_names_its_schema_in_five_bytes() {
        assert_eq!(frame(0x0102_0304), [0, 1, 2, 3, 4]);
        assert_eq!(split(&[0, 0, 0, 1, 0, 7, 8]), Some((256, &[7, 8][..])));
        assert_eq!(split(&[0, 0, 0, 1]), None);
        assert_eq!(split(&[1, 0, 0, 0, 1, 7]), None);
    }
}
