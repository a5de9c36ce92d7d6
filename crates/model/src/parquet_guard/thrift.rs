//! Thrift's compact protocol, as far as the footers and page headers of Parquet need it.

use super::{MAX_DEPTH, Refusal, broken};

/// A node of the schema, as far as the shape of the tree is concerned.
pub(super) struct Node {
    pub(super) n_children: usize,
    pub(super) has_type: bool,
    pub(super) has_repetition: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PageKind {
    Data,
    Dictionary,
    DataV2,
}

pub(super) struct PageHeader {
    pub(super) kind: PageKind,
    pub(super) stored_bytes: i32,
    pub(super) decoded_bytes: i32,
    pub(super) checksum: Option<i32>,
    pub(super) n_values: i32,
    /// Bytes of definition and repetition levels, in pages of version 2.
    pub(super) level_bytes: (i32, i32),
}

/// The types of Thrift's compact protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    True,
    False,
    Byte,
    Int16,
    Int32,
    Int64,
    Double,
    Binary,
    List,
    Set,
    Map,
    Struct,
}

impl Kind {
    fn of(code: u8) -> Result<Kind, Refusal> {
        Ok(match code {
            1 => Kind::True,
            2 => Kind::False,
            3 => Kind::Byte,
            4 => Kind::Int16,
            5 => Kind::Int32,
            6 => Kind::Int64,
            7 => Kind::Double,
            8 => Kind::Binary,
            9 => Kind::List,
            10 => Kind::Set,
            11 => Kind::Map,
            12 => Kind::Struct,
            _ => return broken(format!("unknown Thrift type: {code}")),
        })
    }
}

/// A cursor over Thrift's compact protocol that only ever moves forward, and never past the end.
pub(super) struct Thrift<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) position: usize,
}

impl Thrift<'_> {
    fn byte(&mut self) -> Result<u8, Refusal> {
        let Some(&byte) = self.bytes.get(self.position) else { return broken("cut off inside a header") };
        self.position += 1;
        Ok(byte)
    }

    fn advance(&mut self, n_bytes: u64) -> Result<(), Refusal> {
        let left = (self.bytes.len() - self.position) as u64;
        if n_bytes > left {
            return broken("cut off inside a header");
        }
        self.position += n_bytes as usize;
        Ok(())
    }

    fn varint(&mut self) -> Result<u64, Refusal> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        broken("number of more than 64 bits")
    }

    fn int(&mut self) -> Result<i64, Refusal> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// A field of the type i32.
    fn int32(&mut self, kind: Kind) -> Result<i32, Refusal> {
        if kind != Kind::Int32 {
            return broken("header field of another type");
        }
        i32::try_from(self.int()?).or_else(|_| broken("number of more than 32 bits"))
    }

    /// Calls `visit(id, kind)` for each field of the struct that begins here; it must consume the value.
    pub(super) fn each_field(
        &mut self,
        depth: usize,
        mut visit: impl FnMut(&mut Self, i64, Kind) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        if depth > MAX_DEPTH {
            return broken(format!("header nested deeper than {MAX_DEPTH} levels"));
        }
        let mut id = 0_i64;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Ok(());
            }
            let kind = Kind::of(head & 0x0f)?;
            id = match head >> 4 {
                0 => self.int()?,
                step => id + i64::from(step),
            };
            if !(0..=i64::from(i16::MAX)).contains(&id) {
                return broken("header field without a number");
            }
            visit(self, id, kind)?;
        }
    }

    /// Number and type of the items of a list.
    fn list_head(&mut self) -> Result<(u64, Kind), Refusal> {
        let head = self.byte()?;
        let n_items = match head >> 4 {
            15 => self.varint()?,
            n_items => u64::from(n_items),
        };
        Ok((n_items, if n_items == 0 { Kind::Struct } else { Kind::of(head & 0x0f)? }))
    }

    pub(super) fn list_of_structs(
        &mut self,
        kind: Kind,
        mut visit: impl FnMut(&mut Self) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        if kind != Kind::List {
            return broken("footer field of another type");
        }
        let (n_items, item) = self.list_head()?;
        if item != Kind::Struct {
            return broken("footer list of another type");
        }
        (0..n_items).try_for_each(|_| visit(self))
    }

    /// Moves past a value. Each step consumes a byte or ends, so a wrong count stops at the end of the bytes.
    pub(super) fn skip(&mut self, kind: Kind, depth: usize) -> Result<(), Refusal> {
        if depth > MAX_DEPTH {
            return broken(format!("header nested deeper than {MAX_DEPTH} levels"));
        }
        match kind {
            Kind::True | Kind::False => Ok(()),
            Kind::Byte => self.advance(1),
            Kind::Int16 | Kind::Int32 | Kind::Int64 => self.varint().map(drop),
            Kind::Double => self.advance(8),
            Kind::Binary => {
                let n_bytes = self.varint()?;
                self.advance(n_bytes)
            }
            Kind::List | Kind::Set => {
                let (n_items, item) = self.list_head()?;
                (0..n_items).try_for_each(|_| self.skip_item(item, depth + 1))
            }
            Kind::Map => {
                let n_entries = self.varint()?;
                if n_entries == 0 {
                    return Ok(());
                }
                let kinds = self.byte()?;
                let (key, value) = (Kind::of(kinds >> 4)?, Kind::of(kinds & 0x0f)?);
                (0..n_entries).try_for_each(|_| {
                    self.skip_item(key, depth + 1)?;
                    self.skip_item(value, depth + 1)
                })
            }
            Kind::Struct => self.each_field(depth + 1, |thrift, _, kind| thrift.skip(kind, depth + 1)),
        }
    }

    /// As [`skip`](Thrift::skip), inside a list or map, where a boolean takes a byte.
    fn skip_item(&mut self, kind: Kind, depth: usize) -> Result<(), Refusal> {
        match kind {
            Kind::True | Kind::False => self.advance(1),
            other => self.skip(other, depth),
        }
    }

    pub(super) fn schema_node(&mut self) -> Result<Node, Refusal> {
        let (mut n_children, mut has_type, mut has_repetition) = (0, false, false);
        self.each_field(1, |thrift, id, kind| {
            match id {
                1 => {
                    thrift.int32(kind)?;
                    has_type = true;
                }
                3 => {
                    thrift.int32(kind)?;
                    has_repetition = true;
                }
                5 => n_children = thrift.int32(kind)?,
                _ => thrift.skip(kind, 1)?,
            }
            Ok(())
        })?;
        match usize::try_from(n_children) {
            Ok(n_children) => Ok(Node { n_children, has_type, has_repetition }),
            Err(_) => broken("schema node with a negative number of children"),
        }
    }

    /// The page header that begins here.
    pub(super) fn page_header(&mut self) -> Result<PageHeader, Refusal> {
        let (mut kind_code, mut stored_bytes, mut decoded_bytes, mut checksum) = (None, None, None, None);
        let (mut n_values, mut level_bytes) = ([None; 3], (0, 0));
        self.each_field(0, |thrift, id, kind| {
            match id {
                1 => kind_code = Some(thrift.int32(kind)?),
                2 => decoded_bytes = Some(thrift.int32(kind)?),
                3 => stored_bytes = Some(thrift.int32(kind)?),
                4 => checksum = Some(thrift.int32(kind)?),
                5 | 7 | 8 if kind != Kind::Struct => return broken("page header field of another type"),
                5 => n_values[0] = Some(thrift.count_of_page(PageKind::Data, &mut level_bytes)?),
                7 => n_values[1] = Some(thrift.count_of_page(PageKind::Dictionary, &mut level_bytes)?),
                8 => n_values[2] = Some(thrift.count_of_page(PageKind::DataV2, &mut level_bytes)?),
                _ => thrift.skip(kind, 0)?,
            }
            Ok(())
        })?;
        let kind = match kind_code {
            Some(0) => PageKind::Data,
            Some(2) => PageKind::Dictionary,
            Some(3) => PageKind::DataV2,
            other => return broken(format!("unknown kind of page: {}", other.unwrap_or(-1))),
        };
        let n_values = match kind {
            PageKind::Data => n_values[0],
            PageKind::Dictionary => n_values[1],
            PageKind::DataV2 => n_values[2],
        };
        match (stored_bytes, decoded_bytes, n_values) {
            (Some(stored_bytes), Some(decoded_bytes), Some(n_values)) => {
                Ok(PageHeader { kind, stored_bytes, decoded_bytes, checksum, n_values, level_bytes })
            }
            _ => broken("page header without a size or a count"),
        }
    }

    /// The header of one kind of page: its first field is the number of values; fields 5 and 6 of version 2 are the bytes
    /// of its levels, given to `level_bytes`.
    fn count_of_page(&mut self, version: PageKind, level_bytes: &mut (i32, i32)) -> Result<i32, Refusal> {
        let mut count = None;
        self.each_field(1, |thrift, id, kind| {
            match (version, id) {
                (_, 1) => count = Some(thrift.int32(kind)?),
                (PageKind::DataV2, 5) => level_bytes.0 = thrift.int32(kind)?,
                (PageKind::DataV2, 6) => level_bytes.1 = thrift.int32(kind)?,
                (PageKind::Data, 5) | (PageKind::DataV2, 8) => thrift.skip_statistics(kind)?,
                _ => thrift.skip(kind, 1)?,
            }
            Ok(())
        })?;
        count.map_or_else(|| broken("page without a count"), Ok)
    }

    /// Moves past statistics, whose texts the decoder reads by field number.
    fn skip_statistics(&mut self, kind: Kind) -> Result<(), Refusal> {
        if kind != Kind::Struct {
            return broken("page header field of another type");
        }
        self.each_field(2, |thrift, id, kind| match (id, kind) {
            (1 | 2 | 5 | 6, Kind::Binary) | (3 | 4, Kind::Int64) | (9.., _) => thrift.skip(kind, 2),
            (7 | 8, Kind::True | Kind::False) => Ok(()),
            _ => broken("statistics of another type"),
        })
    }
}
