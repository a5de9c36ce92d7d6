//! Reads Avro's binary form, never beyond its end.

use super::schema::Type;

/// The bytes are no value of the type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoAvro;

type Step<T> = Result<T, NoAvro>;

/// A datum and how far it has been read.
#[derive(Debug, Clone)]
pub(super) struct Input<'a> {
    bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Input { bytes, at: 0 }
    }

    fn take(&mut self, n_bytes: usize) -> Step<&'a [u8]> {
        let taken = self.bytes[self.at..].get(..n_bytes).ok_or(NoAvro)?;
        self.at += n_bytes;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Step<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| NoAvro)
    }

    /// A number in zigzag form, seven bits a byte, the lowest first.
    pub(super) fn long(&mut self) -> Step<i64> {
        let mut zigzag: u64 = 0;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array::<1>()?;
            let bits = u64::from(byte & 0x7F);
            // Of the tenth byte only one bit is left.
            if shift == 63 && bits > 1 {
                return Err(NoAvro);
            }
            zigzag |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64));
            }
        }
        Err(NoAvro)
    }

    pub(super) fn int(&mut self) -> Step<i32> {
        i32::try_from(self.long()?).map_err(|_| NoAvro)
    }

    pub(super) fn float(&mut self) -> Step<f32> {
        Ok(f32::from_le_bytes(self.array()?))
    }

    pub(super) fn double(&mut self) -> Step<f64> {
        Ok(f64::from_le_bytes(self.array()?))
    }

    pub(super) fn boolean(&mut self) -> Step<bool> {
        match self.array()? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(NoAvro),
        }
    }

    /// Bytes or a string, behind their number.
    pub(super) fn bytes(&mut self) -> Step<&'a [u8]> {
        let n_bytes = usize::try_from(self.long()?).map_err(|_| NoAvro)?;
        self.take(n_bytes)
    }

    pub(super) fn fixed(&mut self, n_bytes: usize) -> Step<&'a [u8]> {
        self.take(n_bytes)
    }

    /// Which of so many choices comes.
    pub(super) fn choice(&mut self, n_choices: usize) -> Step<usize> {
        let choice = usize::try_from(self.long()?).map_err(|_| NoAvro)?;
        if choice < n_choices { Ok(choice) } else { Err(NoAvro) }
    }

    /// Reads the items of an array or a map, block by block, with `visit` at each.
    ///
    /// A block may say how many bytes it has; then it must have so many.
    pub(super) fn items(&mut self, mut visit: impl FnMut(&mut Self) -> Step<()>) -> Step<()> {
        loop {
            let count = self.long()?;
            if count == 0 {
                return Ok(());
            }
            let end = if count < 0 {
                let n_bytes = usize::try_from(self.long()?).map_err(|_| NoAvro)?;
                Some(self.at.checked_add(n_bytes).ok_or(NoAvro)?)
            } else {
                None
            };
            for _ in 0..count.unsigned_abs() {
                visit(self)?;
            }
            if end.is_some_and(|end| end != self.at) {
                return Err(NoAvro);
            }
        }
    }

    /// Reads a value that nobody wants, and checks it on the way.
    pub(super) fn skip(&mut self, of: &Type) -> Step<()> {
        match of {
            Type::Null => Ok(()),
            Type::Boolean => self.boolean().map(drop),
            Type::Int(_) => self.int().map(drop),
            Type::Long(_) => self.long().map(drop),
            Type::Float => self.float().map(drop),
            Type::Double => self.double().map(drop),
            Type::Bytes(_) | Type::String => self.bytes().map(drop),
            Type::Fixed(n_bytes, _) => self.fixed(*n_bytes).map(drop),
            Type::Enum(symbols) => self.choice(symbols.len()).map(drop),
            Type::Array(item) if item.is_empty() => self.skip_empty_items(),
            Type::Array(item) => self.items(|input| input.skip(item)),
            Type::Map(value) => self.items(|input| {
                input.bytes()?;
                input.skip(value)
            }),
            Type::Union(branches) => {
                let branch = self.choice(branches.len())?;
                self.skip(&branches[branch])
            }
            Type::Record(record) => record.fields.iter().try_for_each(|(_, field)| self.skip(field)),
        }
    }

    /// Any number of items may be said to come that take no bytes.
    fn skip_empty_items(&mut self) -> Step<()> {
        loop {
            match self.long()? {
                0 => return Ok(()),
                1.. => {}
                _ if self.long()? == 0 => {}
                _ => return Err(NoAvro),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_long(bytes: &[u8], expect: Option<i64>) {
        assert_eq!(Input::new(bytes).long().ok(), expect);
    }

    #[test]
    fn numbers_are_zigzag_and_fit_64_bits() {
        // The examples of Avro's specification, and the ends of the range.
        check_long(&[0], Some(0));
        check_long(&[1], Some(-1));
        check_long(&[2], Some(1));
        check_long(&[0x7F], Some(-64));
        check_long(&[0x80, 0x01], Some(64));
        check_long(&[0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01], Some(i64::MAX));
        check_long(&[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01], Some(i64::MIN));
        check_long(&[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x02], None);
        check_long(&[0x80], None);
        check_long(&[], None);
    }

    #[test]
    fn an_array_of_nothing_costs_nothing_however_long_it_says_it_is() {
        let huge = [0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01, 0];
        let nothings = Type::Array(Box::new(Type::Null));
        let mut input = Input::new(&huge);
        assert_eq!(input.skip(&nothings), Ok(()));
        assert_eq!(input.at, huge.len());
    }

    #[test]
    fn a_length_beyond_the_end_is_refused_before_anything_is_made_room_for() {
        let huge = [0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01, 0];
        assert_eq!(Input::new(&huge).bytes(), Err(NoAvro));
        assert_eq!(
            Input::new(&huge).skip(&Type::Array(Box::new(Type::Int(super::super::schema::IntKind::Plain)))),
            Err(NoAvro)
        );
    }
}
