//! What a registry has said.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use ognivo_data::codec::avro::Known;

/// How many numbers of each kind are remembered.
const REMEMBERED: usize = 1000;

/// How long is believed that a number stands for nothing.
const NOTHING_FOR: Duration = Duration::from_secs(60);

/// The numbers that were asked for last. Those that stand for nothing, of which damaged records may name any, do not take the place
/// of the others.
#[derive(Debug, Default)]
pub(super) struct Memory {
    schemas: Newest,
    nothing: Newest,
}

impl Memory {
    pub(super) fn get(&self, id: u32, now: Instant) -> Option<Known> {
        let nothing = || self.nothing.known.get(&id).filter(|(_, said)| now.duration_since(*said) < NOTHING_FOR);
        self.schemas.known.get(&id).or_else(nothing).map(|(known, _)| known.clone())
    }

    pub(super) fn put(&mut self, id: u32, known: Known, now: Instant) {
        let newest = match known {
            Known::Schema(_) => &mut self.schemas,
            Known::Nothing(_) => &mut self.nothing,
        };
        newest.put(id, known, now);
    }
}

/// So many numbers, and when each was told.
#[derive(Debug, Default)]
struct Newest {
    known: BTreeMap<u32, (Known, Instant)>,
    /// From the oldest on.
    order: VecDeque<u32>,
}

impl Newest {
    fn put(&mut self, id: u32, known: Known, now: Instant) {
        if self.known.insert(id, (known, now)).is_some() {
            return;
        }
        self.order.push_back(id);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ognivo_data::codec::avro::AvroSchema;

    fn schema() -> Known {
        Known::Schema(AvroSchema::parse(r#"{"type":"record","name":"R","fields":[]}"#).unwrap())
    }

    #[test]
    fn the_numbers_asked_for_last_are_remembered_whatever_damaged_records_name() {
        let (mut memory, now) = (Memory::default(), Instant::now());
        for id in 0..REMEMBERED as u32 + 1 {
            memory.put(id, schema(), now);
            memory.put(1_000_000 + id, Known::Nothing(String::new()), now);
            memory.put(2_000_000 + id, Known::Nothing(String::new()), now);
        }
        assert!(memory.get(0, now).is_none());
        assert!(memory.get(1, now).is_some());
        assert_eq!([&memory.schemas, &memory.nothing].map(|newest| newest.known.len()), [REMEMBERED; 2]);
        assert_eq!(memory.schemas.order.len(), REMEMBERED);
    }

    #[test]
    fn that_a_number_stands_for_nothing_is_asked_again_after_a_while() {
        let (mut memory, now) = (Memory::default(), Instant::now());
        memory.put(1, schema(), now);
        memory.put(2, Known::Nothing("none".to_owned()), now);
        assert!(memory.get(2, now + NOTHING_FOR / 2).is_some());
        assert!(memory.get(2, now + NOTHING_FOR).is_none());
        assert!(memory.get(1, now + NOTHING_FOR).is_some());
        memory.put(2, schema(), now + NOTHING_FOR);
        assert!(matches!(memory.get(2, now + NOTHING_FOR), Some(Known::Schema(_))));
    }
}
