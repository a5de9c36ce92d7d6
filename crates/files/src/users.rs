//! Names of users and groups of this machine, from `/etc/passwd` and `/etc/group`.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

/// Who runs this process.
pub(crate) fn current() -> Option<String> {
    user(fs::metadata("/proc/self").ok()?.uid())
}

/// The user of this number.
pub(crate) fn user(id: u32) -> Option<String> {
    name_in(&fs::read_to_string("/etc/passwd").ok()?, id)
}

/// The group of this number.
pub(crate) fn group(id: u32) -> Option<String> {
    name_in(&fs::read_to_string("/etc/group").ok()?, id)
}

/// Lines are `name:x:number:…` in both files.
fn name_in(text: &str, id: u32) -> Option<String> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, number) = (fields.next()?, fields.next()?, fields.next()?);
        (number.parse() == Ok(id)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_the_name_of_its_line() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\n\nalice:x:1000:1000::/h/alice:/bin/sh\n";
        assert_eq!(name_in(passwd, 1000).as_deref(), Some("alice"));
        assert_eq!(name_in(passwd, 1), None);
    }
}
