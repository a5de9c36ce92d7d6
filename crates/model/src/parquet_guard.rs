//! What a Parquet file says about itself, checked before a decoder trusts it.
//!
//! A decoder reserves memory for the counts that it finds in a file: rows of a group, values and bytes of a page, children of
//! a schema node. Forty bytes can claim two thousand million values. So the bytes are walked once before they are decoded:
//!
//! 1. the footer: its length, lists no longer than their bytes, a schema that is a tree of bounded depth;
//! 2. the column chunks: inside the file, in a compression that we have;
//! 3. the page headers of every chunk: inside the chunk, right checksums, counts that agree with the footer, and decoded sizes
//!    within the budget;
//! 4. the pages themselves, decompressed: levels and values that are all there, indices inside their dictionary, lists of
//!    the same lengths in all columns that share them.
//!
//! What passes is decoded by the `parquet` crate. It costs a second decompression, which for models is nothing.
//!
//! ```text
//! PAR1  chunk chunk …  footer (Thrift)  footer length (4 bytes)  PAR1
//!        └─ page header (Thrift)  page bytes, …
//! ```
//!
//! Advice to whoever changes this: the walk must see exactly what the decoder of the `parquet` crate sees. It therefore insists
//! on the Thrift type of every field that it looks at, since the decoder reads by field number alone.

mod page_values;
mod thrift;

use std::collections::HashMap;

use bytes::Bytes;
use parquet::basic::{Compression, Repetition, Type as PhysicalType};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::schema::types::Type;

use self::thrift::{Kind, Node, PageKind, Thrift};
use crate::limits::{Budget, Exceeded};

/// Why a file is not decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The file contradicts itself or the format.
    Broken(String),
    /// It is larger than we read.
    TooLarge(Exceeded),
}

impl From<Exceeded> for Refusal {
    fn from(exceeded: Exceeded) -> Refusal {
        Refusal::TooLarge(exceeded)
    }
}

fn broken<T>(reason: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Broken(reason.into()))
}

const MAGIC: &[u8] = b"PAR1";
/// Magic and length behind the footer.
const TAIL_BYTES: usize = 8;
/// Structs and lists inside each other, in Thrift as well as in the schema. Spark's models need 7.
const MAX_DEPTH: usize = 32;
/// Nodes of a schema.
const MAX_NODES: usize = 10_000;

/// Checks the end of the file and the footer; after this, it can be decoded without reserving more than the file is long.
pub(crate) fn check_footer(file: &[u8]) -> Result<(), Refusal> {
    if file.len() < MAGIC.len() + TAIL_BYTES || !file.starts_with(MAGIC) || !file.ends_with(MAGIC) {
        return broken("not a Parquet file, or cut off");
    }
    let tail = file.len() - TAIL_BYTES;
    let length = u32::from_le_bytes([file[tail], file[tail + 1], file[tail + 2], file[tail + 3]]) as usize;
    let Some(start) = tail.checked_sub(length).filter(|start| *start >= MAGIC.len()) else {
        return broken(format!("footer longer than the file: {length}"));
    };
    let mut thrift = Thrift { bytes: &file[start..tail], position: 0 };
    let mut nodes = Vec::new();
    thrift.each_field(0, |thrift, id, kind| match id {
        2 => thrift.list_of_structs(kind, |thrift| {
            nodes.push(thrift.schema_node()?);
            match nodes.len() > MAX_NODES {
                true => broken(format!("more than {MAX_NODES} columns")),
                false => Ok(()),
            }
        }),
        4 => thrift.list_of_structs(kind, |thrift| thrift.skip(Kind::Struct, 1)),
        _ => thrift.skip(kind, 0),
    })?;
    check_tree(&nodes)
}

/// Checks that the nodes, written depth first, are one tree of groups and leaves.
fn check_tree(nodes: &[Node]) -> Result<(), Refusal> {
    let Some((root, nodes)) = nodes.split_first() else { return broken("no schema") };
    if root.n_children == 0 {
        return broken("no columns");
    }
    let mut open = vec![root.n_children];
    for node in nodes {
        while open.last() == Some(&0) {
            open.pop();
        }
        let Some(left) = open.last_mut() else { return broken("schema with more than one root") };
        *left -= 1;
        if !node.has_repetition || node.has_type == (node.n_children > 0) {
            return broken("schema node that is neither a column nor a group");
        }
        if node.n_children > nodes.len() {
            return broken("schema node with more children than there are nodes");
        }
        if node.n_children > 0 {
            open.push(node.n_children);
        }
        if open.len() > MAX_DEPTH {
            return broken(format!("schema nested deeper than {MAX_DEPTH} levels"));
        }
    }
    match open.iter().all(|left| *left == 0) {
        true => Ok(()),
        false => broken("schema with missing nodes"),
    }
}

/// Checks chunks and pages of every column, and takes what they decode to from the budget.
pub(crate) fn check_pages(file: &Bytes, metadata: &ParquetMetaData, budget: &mut Budget) -> Result<(), Refusal> {
    let leaves = Leaf::all(metadata.file_metadata().schema_descr().root_schema());
    for group in metadata.row_groups() {
        if group.num_rows() < 0 || group.num_columns() != leaves.len() {
            return broken("row group of a wrong shape");
        }
        let mut shapes = HashMap::new();
        for (column, leaf) in group.columns().iter().zip(&leaves) {
            check_headers(file, group, column, budget)?;
            let shapes_of_leaf = page_values::check(file, group, column, leaf)?;
            for (repeated, shape) in leaf.repeated.iter().zip(shapes_of_leaf) {
                if *shapes.entry(repeated.node).or_insert(shape) != shape {
                    let name = column.column_path().string();
                    return broken(format!("column `{name}`: lists of another length than those beside it"));
                }
            }
        }
    }
    Ok(())
}

/// A column of the file: a leaf of the schema, with what is repeated above it.
struct Leaf {
    repeated: Vec<Repeated>,
}

/// A repeated node of the schema: the items of a list, the entries of a map.
#[derive(Debug, Clone)]
struct Repeated {
    /// Its number in the schema.
    node: usize,
    /// The repetition level of its items, from 1.
    repetition: u8,
    /// The definition level at which there is an item.
    definition: u8,
}

impl Leaf {
    /// The leaves below `root`, in the order of the columns. The depth of the tree is known to be bounded.
    fn all(root: &Type) -> Vec<Leaf> {
        let (mut leaves, mut n_nodes) = (Vec::new(), 0);
        for child in root.get_fields() {
            Leaf::below(child, 0, &[], &mut n_nodes, &mut leaves);
        }
        leaves
    }

    fn below(node: &Type, definition: u8, above: &[Repeated], n_nodes: &mut usize, leaves: &mut Vec<Leaf>) {
        *n_nodes += 1;
        let definition = definition + u8::from(node.get_basic_info().repetition() != Repetition::REQUIRED);
        let mut repeated = above.to_vec();
        if node.get_basic_info().repetition() == Repetition::REPEATED {
            repeated.push(Repeated { node: *n_nodes, repetition: above.len() as u8 + 1, definition });
        }
        if node.is_primitive() {
            return leaves.push(Leaf { repeated });
        }
        for child in node.get_fields() {
            Leaf::below(child, definition, &repeated, n_nodes, leaves);
        }
    }
}

fn check_headers(
    file: &[u8],
    group: &RowGroupMetaData,
    column: &ColumnChunkMetaData,
    budget: &mut Budget,
) -> Result<(), Refusal> {
    let name = column.column_path().string();
    let wrong = |what: &str| broken(format!("column `{name}`: {what}"));
    match column.compression() {
        Compression::UNCOMPRESSED | Compression::SNAPPY | Compression::GZIP(_) | Compression::ZSTD(_) => {}
        other => return wrong(&format!("compression that we do not read: {other:?}")),
    }
    let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
    let range = usize::try_from(start).ok().zip(usize::try_from(column.compressed_size()).ok());
    let bytes = range.and_then(|(start, length)| file.get(start..start.checked_add(length)?));
    let Some(bytes) = bytes else { return wrong("outside the file") };

    let mut pages = Thrift { bytes, position: 0 };
    let mut n_values = 0_u64;
    while pages.position < bytes.len() {
        let page = pages.page_header()?;
        let (Ok(stored), Ok(decoded)) = (usize::try_from(page.stored_bytes), u64::try_from(page.decoded_bytes)) else {
            return wrong("page of a negative size");
        };
        let Some(body) = bytes.get(pages.position..).and_then(|rest| rest.get(..stored)) else {
            return wrong("page outside its column");
        };
        pages.position += stored;
        if page.checksum.is_some_and(|checksum| checksum as u32 != crc32fast::hash(body)) {
            return wrong("page with a wrong checksum");
        }
        budget.take_decoded_bytes(decoded)?;
        let Ok(count) = u64::try_from(page.n_values) else { return wrong("page with a negative count") };
        match page.kind {
            PageKind::Dictionary if count > decoded => return wrong("dictionary with more values than bytes"),
            PageKind::Dictionary => {}
            PageKind::Data => n_values = n_values.saturating_add(count),
            PageKind::DataV2 => {
                let levels = page.level_bytes.0.checked_add(page.level_bytes.1);
                let fits = levels.is_some_and(|levels| levels <= page.stored_bytes && levels <= page.decoded_bytes);
                if !fits || page.level_bytes.0 < 0 || page.level_bytes.1 < 0 {
                    return wrong("page with more levels than bytes");
                }
                n_values = n_values.saturating_add(count);
            }
        }
    }
    if i64::try_from(n_values) != Ok(column.num_values()) {
        return wrong("pages and footer differ in the number of values");
    }
    let is_flat = column.column_descr().max_rep_level() == 0;
    let n_rows = group.num_rows() as u64;
    if n_values < n_rows || (is_flat && n_values != n_rows) {
        return wrong("rows and values differ in number");
    }
    budget.take_decoded_bytes(n_values.saturating_mul(decoded_width(column.column_type())))?;
    Ok(())
}

/// Bytes that one value takes while it is decoded, its two levels included; texts lie in their pages.
fn decoded_width(physical: PhysicalType) -> u64 {
    const LEVELS: u64 = 4;
    LEVELS
        + match physical {
            PhysicalType::BOOLEAN => 1,
            PhysicalType::INT32 | PhysicalType::FLOAT => 4,
            PhysicalType::INT64 | PhysicalType::DOUBLE => 8,
            PhysicalType::INT96 | PhysicalType::BYTE_ARRAY | PhysicalType::FIXED_LEN_BYTE_ARRAY => 16,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    fn reason(file: &[u8]) -> String {
        match check_footer(file).unwrap_err() {
            Refusal::Broken(reason) => reason,
            Refusal::TooLarge(exceeded) => format!("{exceeded:?}"),
        }
    }

    /// A file whose footer is `footer`.
    fn file(footer: &[u8]) -> Vec<u8> {
        let length = (footer.len() as u32).to_le_bytes();
        [MAGIC, footer, &length, MAGIC].concat()
    }

    #[test]
    fn a_footer_that_claims_more_than_its_bytes_is_refused() {
        assert_eq!(reason(b"PAR1"), "not a Parquet file, or cut off");
        assert_eq!(reason(b"PAR1\xff\xff\xff\x7fPAR1"), "footer longer than the file: 2147483647");
        // field 4, a list of 2^31 - 1 structs, and no byte more
        assert_eq!(reason(&file(b"\x49\xfc\xff\xff\xff\xff\x07")), "cut off inside a header");
        // field 4 as an integer: the decoder would read a list there
        assert_eq!(reason(&file(b"\x45\x00\x00")), "footer field of another type");
        assert_eq!(reason(&file(b"\x00")), "no schema");
    }

    #[test]
    fn structs_without_end_stop_at_the_limit() {
        let nested = [0x1c_u8; 10_000];
        assert_eq!(reason(&file(&nested)), "header nested deeper than 32 levels");
        let lists = [&[0x19_u8][..], &[0x19; 10_000]].concat();
        assert_eq!(reason(&file(&lists)), "header nested deeper than 32 levels");
    }

    #[test]
    fn a_schema_must_be_one_tree() {
        let group = |n_children| Node { n_children, has_type: false, has_repetition: true };
        let leaf = || Node { n_children: 0, has_type: true, has_repetition: true };
        assert_eq!(check_tree(&[group(2), leaf(), group(1), leaf()]), Ok(()));
        for (nodes, reason) in [
            (vec![group(0)], "no columns"),
            (vec![group(2), leaf()], "schema with missing nodes"),
            (vec![group(1), leaf(), leaf()], "schema with more than one root"),
            (vec![group(1), group(1 << 30)], "schema node with more children than there are nodes"),
            (vec![group(1), group(0)], "schema node that is neither a column nor a group"),
            ((0..40).map(|_| group(1)).chain([leaf()]).collect(), "schema nested deeper than 32 levels"),
        ] {
            assert_eq!(check_tree(&nodes), broken(reason));
        }
    }

    #[test]
    fn the_budget_of_decoded_bytes_is_for_all_tables_together() {
        let mut budget = Budget::new(&Limits { decoded_bytes: 10, ..Limits::default() });
        budget.take_decoded_bytes(7).unwrap();
        assert_eq!(budget.take_decoded_bytes(4).unwrap_err().limit, 3);
        budget.take_decoded_bytes(3).unwrap();
    }
}
