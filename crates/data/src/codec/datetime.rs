//! Dates and timestamps as Spark reads and writes them in text.

mod pattern;

pub use pattern::Pattern;

use crate::codec::csv::CsvOptions;

use chrono::{Datelike, Duration, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone, Utc};

/// A time zone: UTC, a fixed offset, or a region of the time zone database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(ZoneKind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ZoneKind {
    /// Seconds east of Greenwich.
    Fixed(i32),
    Region(chrono_tz::Tz),
}

impl Zone {
    /// The zone of no offset.
    pub const UTC: Zone = Zone(ZoneKind::Fixed(0));

    /// The zone of a fixed offset, in seconds east of Greenwich.
    pub(crate) fn fixed(seconds: i32) -> Zone {
        Zone(ZoneKind::Fixed(seconds))
    }

    /// The zone's name: of a region its own, of an offset `UTC` or `+01:00`.
    pub fn name(self) -> String {
        match self.0 {
            ZoneKind::Region(region) => region.name().to_owned(),
            ZoneKind::Fixed(0) => "UTC".to_owned(),
            ZoneKind::Fixed(seconds) => {
                let sign = if seconds < 0 { '-' } else { '+' };
                format!("{sign}{:02}:{:02}", seconds.abs() / 3600, seconds.abs() % 3600 / 60)
            }
        }
    }

    /// What clocks call the zone at a local time of a known offset: `CET`, `CEST`.
    fn short_name(self, local: NaiveDateTime, offset: i32) -> String {
        match self.0 {
            ZoneKind::Fixed(_) => self.name(),
            ZoneKind::Region(region) => {
                let utc = local - Duration::seconds(i64::from(offset));
                region.offset_from_utc_datetime(&utc).to_string()
            }
        }
    }

    /// Reads what Spark's `timeZone` takes: `UTC`, `Z`, `+01:00`, `GMT+1`, `UTC-8`, `Europe/Berlin`.
    pub fn parse(text: &str) -> Option<Zone> {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        if matches!(text, "Z" | "UTC" | "GMT" | "UT") {
            return Some(Zone::UTC);
        }
        let signed = ["UTC", "GMT", "UT"].into_iter().find_map(|name| text.strip_prefix(name)).unwrap_or(text);
        if signed.starts_with(['+', '-']) {
            return offset_seconds(signed).map(|seconds| Zone(ZoneKind::Fixed(seconds)));
        }
        text.parse().ok().map(|region| Zone(ZoneKind::Region(region)))
    }

    /// The instant, in microseconds since 1970 in UTC, at which clocks of this zone show `local`.
    ///
    /// Same as Java: of a time that comes twice the earlier one, a time that is skipped moves on by what was skipped.
    pub fn to_micros(self, local: NaiveDateTime) -> i64 {
        let micros = local.and_utc().timestamp_micros();
        let offset = match self.0 {
            ZoneKind::Fixed(seconds) => seconds,
            ZoneKind::Region(region) => match region.offset_from_local_datetime(&local) {
                chrono::LocalResult::Single(offset) | chrono::LocalResult::Ambiguous(offset, _) => {
                    offset.fix().local_minus_utc()
                }
                chrono::LocalResult::None => {
                    region.offset_from_utc_datetime(&(local - Duration::days(1))).fix().local_minus_utc()
                }
            },
        };
        micros - i64::from(offset) * 1_000_000
    }

    /// What clocks of this zone show at an instant, and their distance from UTC in seconds.
    ///
    /// `None` when the instant is outside the calendar (about 262,000 years each way).
    pub fn to_local(self, micros: i64) -> Option<(NaiveDateTime, i32)> {
        let utc = Utc.timestamp_micros(micros).single()?.naive_utc();
        let offset = match self.0 {
            ZoneKind::Fixed(seconds) => seconds,
            ZoneKind::Region(region) => region.offset_from_utc_datetime(&utc).fix().local_minus_utc(),
        };
        Some((utc.checked_add_signed(Duration::seconds(i64::from(offset)))?, offset))
    }
}

/// `+h`, `+hh`, `+hh:mm`, `+hmm`, `+hhmm`, `+hh:mm:ss`, `+hhmmss`, at most 18 hours.
fn offset_seconds(text: &str) -> Option<i32> {
    let (sign, rest) = match text.as_bytes() {
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let number = |digits: &[u8]| -> Option<i32> {
        match digits.is_empty() || digits.len() > 2 || !digits.iter().all(u8::is_ascii_digit) {
            true => None,
            false => Some(digits.iter().fold(0, |n, d| n * 10 + i32::from(d - b'0'))),
        }
    };
    let parts: Vec<&[u8]> = rest.split(|b| *b == b':').collect();
    let (hours, minutes, seconds) = match parts.as_slice() {
        [h] if h.len() <= 2 => (number(h)?, 0, 0),
        [hm] if hm.len() == 4 => (number(&hm[..2])?, number(&hm[2..])?, 0),
        [hms] if hms.len() == 6 => (number(&hms[..2])?, number(&hms[2..4])?, number(&hms[4..])?),
        [h, m] => (number(h)?, number(m)?, 0),
        [h, m, s] => (number(h)?, number(m)?, number(s)?),
        _ => return None,
    };
    let total = hours * 3600 + minutes * 60 + seconds;
    match minutes < 60 && seconds < 60 && total <= 18 * 3600 {
        true => Some(sign * total),
        false => None,
    }
}

/// Days since 1970-01-01.
pub(crate) fn days_of(date: NaiveDate) -> i32 {
    date.num_days_from_ce() - 719_163
}

/// Reads a date as Spark casts a string to one: `y+`, `y+-m`, `y+-m-d`, then nothing or a blank or `T` and anything.
pub(crate) fn cast_date(text: &[u8]) -> Option<i32> {
    let mut scan = Scan::new(super::number::trim_java(text));
    let (year, month, day) = scan.date()?;
    match scan.rest() {
        [] | [b' ' | b'T', ..] if day.is_some() || scan.rest().is_empty() => {}
        _ => return None,
    }
    NaiveDate::from_ymd_opt(year, month.unwrap_or(1), day.unwrap_or(1)).map(days_of)
}

/// Reads a timestamp as Spark casts a string to one, in microseconds since 1970 in UTC; `zone` when the text names
/// none.
///
/// A date, then perhaps a blank or `T` and `h:m`, `h:m:s`, `h:m:s.f…`, then perhaps a zone. Differs from Spark: a time
/// without a date, which there means today, is refused.
pub(crate) fn cast_timestamp(text: &[u8], zone: Zone) -> Option<i64> {
    let (local, named) = cast_local(text)?;
    Some(named.unwrap_or(zone).to_micros(local))
}

/// Reads a timestamp without a time zone: as [`cast_timestamp`], and a zone in the text is an error.
pub(crate) fn cast_timestamp_ntz(text: &[u8]) -> Option<i64> {
    match cast_local(text)? {
        (local, None) => Some(Zone::UTC.to_micros(local)),
        _ => None,
    }
}

/// Reads a timestamp without a time zone: as [`cast_timestamp`], and a zone in the text is passed over.
pub(crate) fn cast_timestamp_dropping_zone(text: &[u8]) -> Option<i64> {
    cast_local(text).map(|(local, _)| Zone::UTC.to_micros(local))
}

fn cast_local(text: &[u8]) -> Option<(NaiveDateTime, Option<Zone>)> {
    let mut scan = Scan::new(super::number::trim_java(text));
    let (year, month, day) = scan.date()?;
    let date = NaiveDate::from_ymd_opt(year, month.unwrap_or(1), day.unwrap_or(1))?;
    if scan.rest().is_empty() {
        return Some((date.and_time(NaiveTime::MIN), None));
    }
    if day.is_none() || !(scan.eat(b' ') || scan.eat(b'T')) {
        return None;
    }
    let hour = scan.number(1, 2)?;
    if !scan.eat(b':') {
        return None;
    }
    let minute = scan.number(1, 2)?;
    let mut second = 0;
    let mut micros = 0;
    if scan.eat(b':') {
        second = scan.number(1, 2)?;
        if scan.eat(b'.') {
            micros = scan.fraction();
        }
    }
    let time = NaiveTime::from_hms_micro_opt(hour, minute, second, micros)?;
    let zone = match scan.rest() {
        [] => None,
        rest => Some(Zone::parse(std::str::from_utf8(rest).ok()?)?),
    };
    Some((date.and_time(time), zone))
}

/// A text and how far it has been read.
struct Scan<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    fn new(text: &'a [u8]) -> Self {
        Scan { text, at: 0 }
    }

    fn rest(&self) -> &'a [u8] {
        &self.text[self.at..]
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.text.get(self.at) == Some(&byte);
        self.at += usize::from(found);
        found
    }

    /// Between `min` and `max` digits, as many as there are.
    fn number(&mut self, min: usize, max: usize) -> Option<u32> {
        let digits = self.rest().iter().take(max + 1).take_while(|b| b.is_ascii_digit()).count();
        if digits < min || digits > max {
            return None;
        }
        let value = self.rest()[..digits].iter().fold(0u32, |n, d| n * 10 + u32::from(d - b'0'));
        self.at += digits;
        Some(value)
    }

    /// Digits after the point as microseconds; more than six are cut off.
    fn fraction(&mut self) -> u32 {
        let mut micros = 0;
        let mut scale = 100_000;
        while let Some(digit) = self.rest().first().filter(|b| b.is_ascii_digit()) {
            micros += u32::from(digit - b'0') * scale;
            scale /= 10;
            self.at += 1;
        }
        micros
    }

    /// `[+-]yyyy…[-m[m][-d[d]]]`, four to seven digits of the year.
    fn date(&mut self) -> Option<(i32, Option<u32>, Option<u32>)> {
        let negative = self.eat(b'-');
        if !negative {
            self.eat(b'+');
        }
        let year = self.number(4, 7)? as i32;
        let year = if negative { -year } else { year };
        if !self.eat(b'-') {
            return Some((year, None, None));
        }
        let month = self.number(1, 2)?;
        if !self.eat(b'-') {
            return Some((year, Some(month), None));
        }
        Some((year, Some(month), Some(self.number(1, 2)?)))
    }
}

/// How dates and timestamps in text are read.
#[derive(Debug, Clone)]
pub(crate) struct TextTime {
    pub(crate) date_format: Option<Pattern>,
    pub(crate) timestamp_format: Option<Pattern>,
    pub(crate) timestamp_ntz_format: Option<Pattern>,
    /// Whether what a format cannot read is read as a cast does; `None`: only where no format is given.
    pub(crate) fallback: Option<bool>,
    pub(crate) zone: Zone,
}

impl TextTime {
    pub(crate) fn of_csv(options: &CsvOptions) -> Self {
        TextTime {
            date_format: options.date_format.clone(),
            timestamp_format: options.timestamp_format.clone(),
            timestamp_ntz_format: options.timestamp_ntz_format.clone(),
            fallback: options.enable_date_time_parsing_fallback,
            zone: options.time_zone,
        }
    }

    /// Days since 1970.
    pub(crate) fn days(&self, text: &[u8]) -> Option<i32> {
        self.read(&self.date_format, text, |pattern| pattern.read_days(text), || cast_date(&legacy(text)))
    }

    /// Microseconds since 1970 in UTC.
    pub(crate) fn micros(&self, text: &[u8]) -> Option<i64> {
        self.read(
            &self.timestamp_format,
            text,
            |pattern| pattern.read_micros(text, self.zone),
            || cast_timestamp(&legacy(text), self.zone),
        )
    }

    /// Microseconds since 1970 on a clock without a time zone.
    pub(crate) fn micros_ntz(&self, text: &[u8]) -> Option<i64> {
        self.read(
            &self.timestamp_ntz_format,
            text,
            |pattern| pattern.read_micros(text, Zone::UTC),
            || cast_timestamp_ntz(text),
        )
    }

    fn read<T>(
        &self,
        pattern: &Option<Pattern>,
        _: &[u8],
        by_pattern: impl Fn(&Pattern) -> Option<T>,
        by_cast: impl Fn() -> Option<T>,
    ) -> Option<T> {
        let read = pattern.as_ref().and_then(by_pattern);
        let fall_back = self.fallback.unwrap_or(pattern.is_none());
        read.or_else(|| if fall_back { by_cast() } else { None })
    }
}

/// Old files say `GMT+1` where today's say `+1`.
fn legacy(text: &[u8]) -> std::borrow::Cow<'_, [u8]> {
    match memchr::memmem::find(text, b"GMT") {
        None => text.into(),
        Some(_) => String::from_utf8_lossy(text).replace("GMT", "").into_bytes().into(),
    }
}
