//! The order in which Spark 2.4 has labels of one count: that of the Scala map in which it counts them.
//!
//! `StringIndexer` of 2.4 sorts `rdd.countByValue().toSeq` by count, and the sort is stable. The map is an immutable one of
//! Scala 2.11, whose order is a matter of hash codes alone once it holds more than four keys:
//!
//! - **more than four keys**: a trie that branches by five bits of the improved hash code, lowest bits first;
//! - **up to four keys**: the order in which the counts were collected, which is by shuffle partition, and inside one by slot
//!   of an open hash table of 64 slots (Spark's `AppendOnlyMap`).
//!
//! Keys that share a hash code, and keys of a small map that share a slot, are in the order in which they were first seen
//! there, and in alphabetical order here.

/// Keys up to which Scala's map keeps the order of insertion.
const SMALL_MAP: usize = 4;

/// Slots of the table in which a shuffle partition merges its counts, as long as these are few.
const N_SLOTS: usize = 64;

/// Sorts labels as the map of a dataset of `n_partitions` partitions has them.
pub(super) fn sort_as_map(labels: &mut [(String, u64)], n_partitions: usize) {
    labels.sort();
    if labels.len() > SMALL_MAP {
        labels.sort_by_cached_key(|(label, _)| path_in_trie(java_hash(label)));
    } else {
        let slots = slots_in_shuffle(labels, n_partitions);
        labels.sort_by_cached_key(|(label, _)| slots.iter().find(|(known, ..)| known == label).map(|&(_, at)| at));
    }
}

/// `String.hashCode` of Java.
fn java_hash(text: &str) -> u32 {
    text.encode_utf16().fold(0, |hash: u32, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)))
}

/// The branches from the root to a key, first branch in the highest bits.
fn path_in_trie(hash: u32) -> u64 {
    let hash = improved(hash);
    (0..7).fold(0, |path, level| path << 5 | u64::from(hash >> (5 * level) & 31))
}

/// `improve` of Scala 2.11's `immutable.HashMap`.
fn improved(hash: u32) -> u32 {
    let hash = hash.wrapping_add(!(hash << 9));
    let hash = hash ^ hash >> 14;
    let hash = hash.wrapping_add(hash << 4);
    hash ^ hash >> 10
}

/// Shuffle partition and slot of each of a few labels.
fn slots_in_shuffle(labels: &[(String, u64)], n_partitions: usize) -> Vec<(String, (usize, usize))> {
    let mut taken: Vec<(String, (usize, usize))> = Vec::new();
    for (label, _) in labels {
        let hash = java_hash(label);
        let partition = i64::from(hash as i32).rem_euclid(n_partitions.max(1) as i64) as usize;
        let mut slot = murmur3(hash) as usize % N_SLOTS;
        let mut step = 1;
        while taken.iter().any(|&(_, at)| at == (partition, slot)) {
            slot = (slot + step) % N_SLOTS;
            step += 1;
        }
        taken.push((label.clone(), (partition, slot)));
    }
    taken
}

/// MurmurHash3 (x86, 32 bits, seed 0) of one integer, as Guava's `hashInt`.
fn murmur3(value: u32) -> u32 {
    let k = value.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    let h = k.rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64) ^ 4;
    let h = (h ^ h >> 16).wrapping_mul(0x85eb_ca6b);
    let h = (h ^ h >> 13).wrapping_mul(0xc2b2_ae35);
    h ^ h >> 16
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `expected` is what this printed, in Spark 3.5.9 (PySpark; Scala 2.12, whose small and trie maps are 2.11's):
    /// `[e.getKey() for e in spark._jsc.parallelize(labels, n_partitions).countByValue().entrySet()]`
    #[track_caller]
    fn check(n_partitions: usize, expected: &[&str]) {
        let mut labels: Vec<(String, u64)> = expected.iter().rev().map(|&label| (label.to_owned(), 1)).collect();
        sort_as_map(&mut labels, n_partitions);
        assert_eq!(labels.iter().map(|(label, _)| label.as_str()).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn more_than_four_labels_are_in_the_order_of_a_trie() {
        let purposes = ["major_purchase", "debt_consolidation", "credit_card", "home_improvement", "small_business"];
        check(1, &[&purposes[..], &["educational", "all_other"]].concat());
        check(1, &["", "f", "5", "5f20189", "～bh95ß_0", "6😀", "e94", "eb6b1é", "ßeb😀 e"]);
        check(2, &["egßh7c2😀f", "_76ß 72b", "ßßfh～", "b7fbh😀2", "061", "e0fß1d0 c", "8😀b7", "é7ß59hc", "c543"]);
        check(3, &["😀8eh", "6c  ", "gdß226", "3ßg851c85", "72_5ad", "27d4 7"]);
        check(1, &["x", "y", "Aa", "BB", "w", "z"]);
    }

    #[test]
    fn up_to_four_labels_are_in_the_order_in_which_a_shuffle_gives_them() {
        check(1, &["credit_card", "all_other", "debt_consolidation", "home_improvement"]);
        check(1, &["credit_card", "debt_consolidation"]);
        check(1, &["f8g", "ég37", "", "gff"]);
        check(2, &["fb😀6😀", "6_be7dd0", "3", "e3hé"]);
        check(2, &["hé😀_gß😀", ""]);
        check(3, &["de3", "～80bc", "4fg😀d😀85", "b"]);
        check(3, &["6d f", "05f13d", "2_d"]);
    }
}
