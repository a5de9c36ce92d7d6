//! Values that rows bring as text and CQL keeps as bytes: uuid, inet, time, duration.

use std::net::IpAddr;

/// 16 bytes of `8-4-4-4-12` hexadecimal digits.
pub(crate) fn uuid(text: &str) -> Option<[u8; 16]> {
    let groups = [8, 4, 4, 4, 12];
    let mut digits = String::with_capacity(32);
    let mut parts = text.split('-');
    for length in groups {
        let part = parts.next().filter(|part| part.len() == length)?;
        if !part.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        digits.push_str(part);
    }
    if parts.next().is_some() {
        return None;
    }
    u128::from_str_radix(&digits, 16).ok().map(u128::to_be_bytes)
}

/// A [`uuid`] of version 1, which has a time in it.
pub(crate) fn timeuuid(text: &str) -> Option<[u8; 16]> {
    uuid(text).filter(|bytes| bytes[6] >> 4 == 1)
}

/// 4 or 16 bytes of an address.
pub(crate) fn inet(text: &str) -> Option<([u8; 16], usize)> {
    let mut bytes = [0; 16];
    let length = match text.parse().ok()? {
        IpAddr::V4(address) => {
            bytes[..4].copy_from_slice(&address.octets());
            4
        }
        IpAddr::V6(address) => {
            bytes.copy_from_slice(&address.octets());
            16
        }
    };
    Some((bytes, length))
}

/// Nanoseconds of a day.
pub(crate) const DAY_NS: i64 = 86_400_000_000_000;

/// Nanoseconds since midnight of `hh:mm:ss`, with up to nine digits of a second's parts.
pub(crate) fn time(text: &str) -> Option<i64> {
    let (whole, parts) = text.split_once('.').unwrap_or((text, "0"));
    let mut fields = whole.split(':').map(|field| two_digits(field).map(i64::from));
    let (hours, minutes, seconds) = (fields.next()??, fields.next()??, fields.next()??);
    let is_time = fields.next().is_none() && hours < 24 && minutes < 60 && seconds < 60;
    if !is_time || parts.is_empty() || parts.len() > 9 || !parts.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let nanoseconds: i64 = format!("{parts:0<9}").parse().ok()?;
    Some(((hours * 60 + minutes) * 60 + seconds) * 1_000_000_000 + nanoseconds)
}

fn two_digits(text: &str) -> Option<u8> {
    (text.len() == 2 && text.bytes().all(|digit| digit.is_ascii_digit())).then(|| text.parse().ok())?
}

/// Months, days and nanoseconds of a duration, as three numbers of one sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CqlDuration {
    pub(crate) months: i32,
    pub(crate) days: i32,
    pub(crate) nanoseconds: i64,
}

/// A duration as CQL writes it: `1y2mo3w4d5h6m7s8ms9us10ns`, each unit at most once and in this order, `-` before all of it.
pub(crate) fn duration(text: &str) -> Option<CqlDuration> {
    let (sign, mut rest) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    if rest.is_empty() {
        return None;
    }
    let (mut months, mut days, mut nanoseconds) = (0i64, 0i64, 0i64);
    let mut last_unit = None;
    while !rest.is_empty() {
        let n_digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: i64 = rest[..n_digits].parse().ok()?;
        rest = &rest[n_digits..];
        let n_letters = rest.chars().take_while(|c| c.is_alphabetic()).map(char::len_utf8).sum();
        let (order, total, factor) = match rest.get(..n_letters)?.to_lowercase().as_str() {
            "y" => (0, &mut months, 12),
            "mo" => (1, &mut months, 1),
            "w" => (2, &mut days, 7),
            "d" => (3, &mut days, 1),
            "h" => (4, &mut nanoseconds, 3_600_000_000_000),
            "m" => (5, &mut nanoseconds, 60_000_000_000),
            "s" => (6, &mut nanoseconds, 1_000_000_000),
            "ms" => (7, &mut nanoseconds, 1_000_000),
            "us" | "µs" => (8, &mut nanoseconds, 1_000),
            "ns" => (9, &mut nanoseconds, 1),
            _ => return None,
        };
        if last_unit.is_some_and(|last| last >= order) {
            return None;
        }
        last_unit = Some(order);
        *total = number.checked_mul(factor)?.checked_add(*total)?;
        rest = &rest[n_letters..];
    }
    Some(CqlDuration {
        months: i32::try_from(months * sign).ok()?,
        days: i32::try_from(days * sign).ok()?,
        nanoseconds: nanoseconds * sign,
    })
}

/// A number as CQL packs it within a duration: sign last, then as few bytes as it needs, whose number the first one tells in ones.
pub(crate) fn push_vint(number: i64, out: &mut Vec<u8>) {
    let unsigned = ((number << 1) ^ (number >> 63)) as u64;
    let n_bits = 64 - (unsigned | 1).leading_zeros() as usize;
    let n_extra = ((n_bits.max(1) - 1) / 7).min(8);
    if n_extra == 8 {
        out.push(0xff);
        out.extend_from_slice(&unsigned.to_be_bytes());
        return;
    }
    let bytes = unsigned.to_be_bytes();
    let start = out.len();
    out.extend_from_slice(&bytes[7 - n_extra..]);
    out[start] |= !(0xffu16 >> n_extra) as u8;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_has_its_groups_and_a_timeuuid_its_version() {
        let bytes = uuid("550e8400-e29b-41d4-a716-446655440000").unwrap();
        assert_eq!(bytes[..4], [0x55, 0x0e, 0x84, 0x00]);
        assert_eq!(uuid("550e8400e29b41d4a716446655440000"), None);
        assert_eq!(uuid("550e8400-e29b-41d4-a716-44665544000g"), None);
        assert_eq!(uuid("+50e8400-e29b-41d4-a716-446655440000"), None);
        assert_eq!(timeuuid("550e8400-e29b-41d4-a716-446655440000"), None);
        assert!(timeuuid("d2177dd0-eaa2-11de-a572-001b779c76e3").is_some());
    }

    #[test]
    fn a_time_of_day_has_up_to_nine_digits_of_a_second() {
        assert_eq!(time("00:00:00"), Some(0));
        assert_eq!(time("13:30:54.234"), Some(48_654_234_000_000));
        assert_eq!(time("23:59:59.999999999"), Some(DAY_NS - 1));
        for wrong in ["24:00:00", "1:00:00", "10:00", "10:00:00.", "10:00:00.1234567890", "10:00:0x"] {
            assert_eq!(time(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_duration_is_read_as_cql_writes_it() {
        let told = |text| duration(text).map(|d| (d.months, d.days, d.nanoseconds));
        assert_eq!(told("1y2mo3w4d5h6m7s8ms9us10ns"), Some((14, 25, 18_367_008_009_010)));
        assert_eq!(told("-2mo10h"), Some((-2, 0, -36_000_000_000_000)));
        for wrong in ["", "-", "1", "1x", "1d1y", "1d1d", "d", "9223372036854775807h"] {
            assert_eq!(told(wrong), None, "{wrong}");
        }
    }

    /// The form of `VIntCoding` in Cassandra; that servers read it back is tested with durations of every size.
    #[test]
    fn packed_numbers_grow_with_their_size() {
        for (number, expect) in [
            (0, &[0x00][..]),
            (-1, &[0x01]),
            (1, &[0x02]),
            (63, &[0x7e]),
            (64, &[0x80, 0x80]),
            (8191, &[0xbf, 0xfe]),
            (8192, &[0xc0, 0x40, 0x00]),
            (i64::MIN, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ] {
            let mut bytes = Vec::new();
            push_vint(number, &mut bytes);
            assert_eq!(bytes, expect, "{number}");
        }
    }
}
