//! Date and time patterns of Java's letters, as in `dateFormat: dd.MM.yyyy`.

use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, Timelike};

use super::{Zone, days_of, offset_seconds};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// A date and time pattern, as in Spark's `dateFormat` and `timestampFormat`.
///
/// Letters: `y u M L d D H h K k m s S a E X x Z V z`, text in single quotes, optional sections in brackets. Month
/// and day names are English. Same as Spark 3 and later (`java.time`, strict); what the letters of the other calendar
/// fields mean is not known here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    items: Vec<Item>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    Text(String),
    /// A number and its count of letters.
    Number(Unit, usize),
    /// Digits after the point.
    Fraction(usize),
    MonthName {
        full: bool,
    },
    WeekdayName {
        full: bool,
    },
    AmPm,
    /// An offset like +01:30.
    Offset {
        zero: &'static str,
        colon: bool,
        minutes: bool,
    },
    /// A zone's name, or its short one: `CET`.
    ZoneName {
        short: bool,
    },
    Optional(Vec<Item>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Year,
    Month,
    Day,
    DayOfYear,
    /// 0 to 23.
    Hour,
    /// 1 to 24.
    HourFromOne,
    /// 1 to 12, with a half of the day.
    HalfDayHour,
    /// 0 to 11, with a half of the day.
    HalfDayHourFromZero,
    Minute,
    Second,
}

impl Pattern {
    /// Reads a pattern; `None` when it holds a letter that is not known here or brackets that do not pair.
    pub fn parse(text: &str) -> Option<Pattern> {
        let chars: Vec<char> = text.chars().collect();
        let mut at = 0;
        let items = items(&chars, &mut at)?;
        match at == chars.len() && !items.is_empty() {
            true => Some(Pattern { items }),
            false => None,
        }
    }

    /// The date that `text` writes, in days since 1970.
    pub(crate) fn read_days(&self, text: &[u8]) -> Option<i32> {
        Some(days_of(self.read(text)?.date()?))
    }

    /// The instant that `text` writes, in microseconds since 1970 in UTC; `zone` when it names none.
    pub(crate) fn read_micros(&self, text: &[u8], zone: Zone) -> Option<i64> {
        let parts = self.read(text)?;
        let local = parts.date()?.and_time(parts.time()?);
        Some(parts.zone.unwrap_or(zone).to_micros(local))
    }

    fn read(&self, text: &[u8]) -> Option<Parts> {
        let mut parts = Parts::default();
        let rest = read_items(&self.items, text, &mut parts)?;
        rest.is_empty().then_some(parts)
    }

    /// Appends the time that clocks of `zone` show at `micros`.
    ///
    /// Writes nothing when the instant is outside the calendar.
    pub fn write_micros(&self, out: &mut Vec<u8>, micros: i64, zone: Zone) {
        if let Some((local, offset)) = zone.to_local(micros) {
            write_items(&self.items, out, local, offset, zone);
        }
    }

    /// Appends a date given in days since 1970.
    pub(crate) fn write_days(&self, out: &mut Vec<u8>, days: i32) {
        self.write_micros(out, i64::from(days) * 86_400_000_000, Zone::UTC);
    }
}

/// Reads items up to the end or a closing bracket.
fn items(chars: &[char], at: &mut usize) -> Option<Vec<Item>> {
    let mut items = Vec::new();
    while let Some(c) = chars.get(*at).copied() {
        match c {
            ']' => break,
            '[' => {
                *at += 1;
                items.push(Item::Optional(self::items(chars, at)?));
                if chars.get(*at) != Some(&']') {
                    return None;
                }
                *at += 1;
            }
            '\'' => items.push(Item::Text(quoted(chars, at)?)),
            'a'..='z' | 'A'..='Z' => {
                let count = chars[*at..].iter().take_while(|other| **other == c).count();
                *at += count;
                items.push(item(c, count)?);
            }
            _ => {
                items.push(Item::Text(c.to_string()));
                *at += 1;
            }
        }
    }
    Some(items)
}

/// Text in single quotes; two of them are one.
fn quoted(chars: &[char], at: &mut usize) -> Option<String> {
    let mut text = String::new();
    *at += 1;
    loop {
        match (chars.get(*at)?, chars.get(*at + 1)) {
            ('\'', Some('\'')) => {
                text.push('\'');
                *at += 2;
            }
            ('\'', _) => {
                *at += 1;
                return Some(if text.is_empty() { "'".to_owned() } else { text });
            }
            (c, _) => {
                text.push(*c);
                *at += 1;
            }
        }
    }
}

fn item(letter: char, count: usize) -> Option<Item> {
    let number = |unit, max| (count <= max).then_some(Item::Number(unit, count));
    match letter {
        'y' | 'u' => number(Unit::Year, 6),
        'M' | 'L' => match count {
            1 | 2 => number(Unit::Month, 2),
            3 | 4 => Some(Item::MonthName { full: count == 4 }),
            _ => None,
        },
        'd' => number(Unit::Day, 2),
        'D' => number(Unit::DayOfYear, 3),
        'H' => number(Unit::Hour, 2),
        'k' => number(Unit::HourFromOne, 2),
        'h' => number(Unit::HalfDayHour, 2),
        'K' => number(Unit::HalfDayHourFromZero, 2),
        'm' => number(Unit::Minute, 2),
        's' => number(Unit::Second, 2),
        'S' => (count <= 9).then_some(Item::Fraction(count)),
        'a' => (count == 1).then_some(Item::AmPm),
        'E' => (count <= 4).then_some(Item::WeekdayName { full: count == 4 }),
        'X' | 'x' => {
            let zero = match (letter, count) {
                ('X', _) => "Z",
                (_, 1) => "+00",
                (_, 2) => "+0000",
                _ => "+00:00",
            };
            (count <= 3).then_some(Item::Offset { zero, colon: count == 3, minutes: count > 1 })
        }
        'Z' => match count {
            1..=3 => Some(Item::Offset { zero: "+0000", colon: false, minutes: true }),
            5 => Some(Item::Offset { zero: "Z", colon: true, minutes: true }),
            _ => None,
        },
        'V' => (count == 2).then_some(Item::ZoneName { short: false }),
        'z' => (count <= 3).then_some(Item::ZoneName { short: true }),
        _ => None,
    }
}

/// What has been read; what has not takes its default: the first of January 1970, midnight.
#[derive(Debug, Default, Clone)]
struct Parts {
    year: Option<i32>,
    month: Option<u32>,
    day: Option<u32>,
    day_of_year: Option<u32>,
    hour: Option<u32>,
    half_day_hour: Option<u32>,
    afternoon: Option<bool>,
    minute: Option<u32>,
    second: Option<u32>,
    micros: Option<u32>,
    weekday: Option<u32>,
    zone: Option<Zone>,
}

impl Parts {
    fn date(&self) -> Option<NaiveDate> {
        let year = self.year.unwrap_or(1970);
        let date = match self.day_of_year {
            Some(day) => NaiveDate::from_yo_opt(year, day)?,
            None => NaiveDate::from_ymd_opt(year, self.month.unwrap_or(1), self.day.unwrap_or(1))?,
        };
        match self.weekday {
            Some(weekday) if weekday != date.weekday().num_days_from_monday() => None,
            _ => Some(date),
        }
    }

    fn time(&self) -> Option<NaiveTime> {
        let hour = match (self.hour, self.half_day_hour) {
            (Some(hour), _) => hour,
            (None, Some(hour)) => hour + if self.afternoon? { 12 } else { 0 },
            (None, None) => 0,
        };
        let (minute, second) = (self.minute.unwrap_or(0), self.second.unwrap_or(0));
        NaiveTime::from_hms_micro_opt(hour, minute, second, self.micros.unwrap_or(0))
    }

    fn set(&mut self, unit: Unit, value: u32) -> Option<()> {
        match unit {
            Unit::Year => self.year = Some(value as i32),
            Unit::Month => self.month = Some(value),
            Unit::Day => self.day = Some(value),
            Unit::DayOfYear => self.day_of_year = Some(value),
            Unit::Hour => self.hour = Some(value),
            Unit::HourFromOne => self.hour = (1..=24).contains(&value).then_some(value % 24),
            Unit::HalfDayHour => self.half_day_hour = (1..=12).contains(&value).then_some(value % 12),
            Unit::HalfDayHourFromZero => self.half_day_hour = (value < 12).then_some(value),
            Unit::Minute => self.minute = Some(value),
            Unit::Second => self.second = Some(value),
        }
        match unit {
            Unit::HourFromOne if self.hour.is_none() => None,
            Unit::HalfDayHour | Unit::HalfDayHourFromZero if self.half_day_hour.is_none() => None,
            _ => Some(()),
        }
    }
}

/// Reads `items` from the front of `text`; gives what is left.
fn read_items<'t>(items: &[Item], mut text: &'t [u8], parts: &mut Parts) -> Option<&'t [u8]> {
    for (at, item) in items.iter().enumerate() {
        text = match item {
            Item::Text(literal) => text.strip_prefix(literal.as_bytes())?,
            Item::Number(unit, count) => {
                let runs_on = matches!(items.get(at + 1), Some(Item::Number(..) | Item::Fraction(_)));
                read_number(*unit, *count, runs_on, text, parts)?
            }
            Item::Fraction(count) => {
                let digits = text.get(..*count).filter(|d| d.iter().all(u8::is_ascii_digit))?;
                let nanos =
                    digits.iter().fold(0u64, |n, d| n * 10 + u64::from(d - b'0')) * 10u64.pow(9 - *count as u32);
                parts.micros = Some((nanos / 1000) as u32);
                &text[*count..]
            }
            Item::MonthName { full } => {
                let (month, rest) = read_name(&MONTHS, *full, text)?;
                parts.month = Some(month + 1);
                rest
            }
            Item::WeekdayName { full } => {
                let (weekday, rest) = read_name(&WEEKDAYS, *full, text)?;
                parts.weekday = Some(weekday);
                rest
            }
            Item::AmPm => {
                let half = text.get(..2)?;
                parts.afternoon = Some(half.eq_ignore_ascii_case(b"PM"));
                if !half.eq_ignore_ascii_case(b"AM") && parts.afternoon == Some(false) {
                    return None;
                }
                &text[2..]
            }
            Item::Offset { zero, colon, minutes } => {
                let (zone, rest) = read_offset(zero, *colon, *minutes, text)?;
                parts.zone = Some(zone);
                rest
            }
            Item::ZoneName { .. } => {
                let len = text.iter().take_while(|b| b.is_ascii_alphanumeric() || b"/_+-:".contains(b)).count();
                parts.zone = Some(Zone::parse(std::str::from_utf8(&text[..len]).ok()?)?);
                &text[len..]
            }
            Item::Optional(inner) => {
                let mut tried = parts.clone();
                match read_items(inner, text, &mut tried) {
                    Some(rest) => {
                        *parts = tried;
                        rest
                    }
                    None => text,
                }
            }
        };
    }
    Some(text)
}

/// Two letters and more are that many digits, one letter as many as there are; a year may have a sign.
fn read_number<'t>(unit: Unit, count: usize, runs_on: bool, text: &'t [u8], parts: &mut Parts) -> Option<&'t [u8]> {
    let (sign, unsigned) = match (unit, text.first()) {
        (Unit::Year, Some(b'-')) => (-1, &text[1..]),
        (Unit::Year, Some(b'+')) => (1, &text[1..]),
        _ => (1, text),
    };
    let signed = unsigned.len() < text.len();
    let available = unsigned.iter().take_while(|b| b.is_ascii_digit()).count();
    let n_digits = match (unit, count) {
        (Unit::Year, 4..) if signed && !runs_on => available.min(7),
        (Unit::Year, 1) if !runs_on => available.min(7),
        (_, 1) if !runs_on => available.min(if unit == Unit::DayOfYear { 3 } else { 2 }),
        _ => count,
    };
    if available < n_digits.max(count) {
        return None;
    }
    let value = unsigned[..n_digits].iter().fold(0u32, |n, d| n * 10 + u32::from(d - b'0'));
    let value = if unit == Unit::Year && count == 2 { value + 2000 } else { value };
    parts.set(unit, value)?;
    if sign < 0 {
        parts.year = parts.year.map(|year| -year);
    }
    Some(&unsigned[n_digits..])
}

fn read_name<'t>(names: &[&str], full: bool, text: &'t [u8]) -> Option<(u32, &'t [u8])> {
    names.iter().enumerate().find_map(|(index, name)| {
        let name = if full { name } else { &name[..3] };
        text.strip_prefix(name.as_bytes()).map(|rest| (index as u32, rest))
    })
}

fn read_offset<'t>(zero: &str, colon: bool, minutes: bool, text: &'t [u8]) -> Option<(Zone, &'t [u8])> {
    if zero == "Z"
        && let Some(rest) = text.strip_prefix(b"Z")
    {
        return Some((Zone::UTC, rest));
    }
    let with_minutes = if colon { 6 } else { 5 };
    let lens: &[usize] = if minutes { &[with_minutes] } else { &[5, 3] };
    lens.iter().find_map(|len| {
        let offset = std::str::from_utf8(text.get(..*len)?).ok()?;
        if colon != offset.contains(':') {
            return None;
        }
        let seconds = offset_seconds(offset)?;
        Some((Zone::fixed(seconds), &text[*len..]))
    })
}

fn write_items(items: &[Item], out: &mut Vec<u8>, local: NaiveDateTime, offset: i32, zone: Zone) {
    for item in items {
        match item {
            Item::Text(literal) => out.extend_from_slice(literal.as_bytes()),
            Item::Number(unit, count) => write_number(*unit, *count, out, local),
            Item::Fraction(count) => {
                let digits = format!("{:09}", local.nanosecond());
                out.extend_from_slice(&digits.as_bytes()[..*count]);
            }
            Item::MonthName { full } => write_name(MONTHS[local.month0() as usize], *full, out),
            Item::WeekdayName { full } => {
                write_name(WEEKDAYS[local.weekday().num_days_from_monday() as usize], *full, out);
            }
            Item::AmPm => out.extend_from_slice(if local.hour() < 12 { b"AM" } else { b"PM" }),
            Item::Offset { zero, colon, minutes } => {
                if offset == 0 {
                    out.extend_from_slice(zero.as_bytes());
                    continue;
                }
                let sign = if offset < 0 { '-' } else { '+' };
                let (hours, rest) = (offset.abs() / 3600, offset.abs() % 3600 / 60);
                let text = match (*minutes || rest != 0, *colon) {
                    (false, _) => format!("{sign}{hours:02}"),
                    (true, false) => format!("{sign}{hours:02}{rest:02}"),
                    (true, true) => format!("{sign}{hours:02}:{rest:02}"),
                };
                out.extend_from_slice(text.as_bytes());
            }
            Item::ZoneName { short } => {
                let name = if *short { zone.short_name(local, offset) } else { zone.name() };
                out.extend_from_slice(name.as_bytes());
            }
            // A section is left out only when a value in it is missing, and here none is.
            Item::Optional(inner) => write_items(inner, out, local, offset, zone),
        }
    }
}

fn write_number(unit: Unit, count: usize, out: &mut Vec<u8>, local: NaiveDateTime) {
    let value = match unit {
        Unit::Year if count == 2 => local.year().rem_euclid(100),
        Unit::Year => local.year(),
        Unit::Month => local.month() as i32,
        Unit::Day => local.day() as i32,
        Unit::DayOfYear => local.ordinal() as i32,
        Unit::Hour => local.hour() as i32,
        Unit::HourFromOne => (local.hour() as i32 + 23) % 24 + 1,
        Unit::HalfDayHour => (local.hour() as i32 + 11) % 12 + 1,
        Unit::HalfDayHourFromZero => local.hour() as i32 % 12,
        Unit::Minute => local.minute() as i32,
        Unit::Second => local.second() as i32,
    };
    if value < 0 {
        out.push(b'-');
    } else if unit == Unit::Year && count >= 4 && value > 9999 {
        out.push(b'+');
    }
    out.extend_from_slice(format!("{:0count$}", value.abs()).as_bytes());
}

fn write_name(name: &str, full: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(if full { name.as_bytes() } else { &name.as_bytes()[..3] });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, text: &str, expected: Option<&str>) {
        let pattern = Pattern::parse(pattern).expect("a known pattern");
        let micros = pattern.read_micros(text.as_bytes(), Zone::UTC);
        let shown = micros.map(|m| {
            let mut out = Vec::new();
            Pattern::parse("yyyy-MM-dd HH:mm:ss.SSSSSS").unwrap().write_micros(&mut out, m, Zone::UTC);
            String::from_utf8(out).unwrap()
        });
        assert_eq!(shown.as_deref(), expected);
    }

    #[test]
    fn patterns_read_what_they_show() {
        check("yyyy-MM-dd", "2024-02-29", Some("2024-02-29 00:00:00.000000"));
        check("yyyy-MM-dd", "2023-02-29", None);
        check("yyyy-MM-dd", "2024-2-29", None);
        check("yyyy-MM-dd", "2024-02-29 ", None);
        check("y-M-d", "2024-2-9", Some("2024-02-09 00:00:00.000000"));
        check("dd/MM/yy", "01/12/69", Some("2069-12-01 00:00:00.000000"));
        check("yyyyMMddHHmmss", "20240229235958", Some("2024-02-29 23:59:58.000000"));
        check("dd MMM yyyy", "07 Mar 2021", Some("2021-03-07 00:00:00.000000"));
        check("EEE, d MMMM yyyy", "Sun, 7 March 2021", Some("2021-03-07 00:00:00.000000"));
        check("EEE, d MMMM yyyy", "Mon, 7 March 2021", None);
        check("yyyy-MM-dd hh:mm a", "2021-03-07 12:05 AM", Some("2021-03-07 00:05:00.000000"));
        check("yyyy-MM-dd'T'HH:mm:ss[.SSS][XXX]", "2021-03-07T01:02:03", Some("2021-03-07 01:02:03.000000"));
        check("yyyy-MM-dd'T'HH:mm:ss[.SSS][XXX]", "2021-03-07T01:02:03.456+01:30", Some("2021-03-06 23:32:03.456000"));
        check("yyyy-MM-dd HH:mm VV", "2021-07-01 12:00 Europe/Berlin", Some("2021-07-01 10:00:00.000000"));
    }

    #[test]
    fn a_letter_that_is_not_known_is_refused() {
        assert_eq!(Pattern::parse("YYYY-ww"), None);
        assert_eq!(Pattern::parse("yyyy-MM[-dd"), None);
        assert_eq!(Pattern::parse("yyyy 'open"), None);
        assert_eq!(Pattern::parse(""), None);
    }
}
