//! Partition folders: `column=value` in a path, as Hive and Spark write it.
//!
//! ```text
//! p_date=20261123/city=a%3Ab/part-00000-….parquet      "a:b"
//! p_date=__HIVE_DEFAULT_PARTITION__                    null, and the empty string
//! ```

/// The name of the folder that holds null.
const DEFAULT_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";

/// One `column=value` of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartitionFolder {
    /// The column.
    pub column: String,
    /// Its value as text; None for null.
    pub value: Option<String>,
}

/// What a folder's name says; None when it is no partition folder.
pub(crate) fn parse_folder_name(name: &str) -> Option<PartitionFolder> {
    let (column, value) = name.split_once('=')?;
    if column.is_empty() || value.is_empty() {
        return None;
    }
    let value = (value != DEFAULT_PARTITION).then(|| unescape(value));
    Some(PartitionFolder { column: unescape(column), value })
}

/// The folder's name for a value; null and the empty string share one, as in Spark.
pub(crate) fn folder_name(column: &str, value: Option<&str>) -> String {
    let value = value.filter(|value| !value.is_empty());
    format!("{}={}", escape(column), value.map_or_else(|| DEFAULT_PARTITION.to_owned(), escape))
}

/// Replaces what Hive does not allow in a folder's name by `%` and two digits.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{1}'..='\u{1f}' | '\u{7f}' => escaped.push_str(&format!("%{:02X}", c as u32)),
            '"' | '#' | '%' | '\'' | '*' | '/' | ':' | '=' | '?' | '\\' | '{' | '[' | ']' | '^' => {
                escaped.push_str(&format!("%{:02X}", c as u32));
            }
            c => escaped.push(c),
        }
    }
    escaped
}

/// The inverse of [`escape`]; a `%` that no two digits follow stands for itself.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        plain.push_str(&rest[..at]);
        let code = rest.get(at + 1..at + 3).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match code {
            Some(code) => {
                plain.push(char::from(code));
                rest = &rest[at + 3..];
            }
            None => {
                plain.push('%');
                rest = &rest[at + 1..];
            }
        }
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: Option<&str>, name: &str) {
        assert_eq!(folder_name("p", value), name);
        let back = parse_folder_name(name).unwrap();
        assert_eq!(back.value.as_deref(), value.filter(|value| !value.is_empty()));
    }

    #[test]
    fn folder_names_escape_as_hive_does_and_come_back() {
        check(Some("20261123101500"), "p=20261123101500");
        check(Some("a b"), "p=a b");
        check(Some("10:15/x=%"), "p=10%3A15%2Fx%3D%25");
        check(Some("é\u{1}"), "p=é%01");
        check(None, "p=__HIVE_DEFAULT_PARTITION__");
        check(Some(""), "p=__HIVE_DEFAULT_PARTITION__");
    }

    #[test]
    fn other_names_are_no_partition_folders() {
        for name in ["sub", "=1", "p="] {
            assert_eq!(parse_folder_name(name), None, "{name}");
        }
        assert_eq!(parse_folder_name("p=100%").unwrap().value.as_deref(), Some("100%"));
    }
}
