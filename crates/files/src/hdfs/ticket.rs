//! Who a Kerberos ticket cache says we are, and until when: what the client's library does not tell.
//!
//! ```text
//! KRB5CCNAME=FILE:/run/alice.cc        else default_ccache_name of krb5.conf, else /tmp/krb5cc_<user id>
//!
//! 5 4                                  the form of the file; 16 more bits count the bytes of a header, which follows
//! principal                            whose cache it is
//! (client, server, key, times, …)*     the tickets; times are four times 32 bits: of login, from, until, renewable until
//! ```
//! The format is MIT's, which Heimdal and Java write too (<https://web.mit.edu/kerberos/krb5-latest/doc/formats/ccache_file_format.html>).

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// What a cache holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ticket {
    /// `alice@LAB.TEST`
    pub(crate) principal: String,
    /// Until when the ticket of its realm that gets other tickets holds, in seconds since 1970; None when there is none.
    pub(crate) ends_s: Option<u32>,
    /// Until when it can be renewed; it cannot where this is no later than its end.
    pub(crate) renewable_s: u32,
}

impl Ticket {
    /// Who its principal is to Hadoop where the cluster keeps to the default rule of `hadoop.security.auth_to_local`: `alice`, and `hdfs`
    /// of `hdfs/nn1@LAB.TEST`.
    pub(crate) fn short_name(&self) -> &str {
        self.principal.split(['/', '@']).next().unwrap_or_default()
    }
}

/// The place of the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cache {
    /// A file.
    File(PathBuf),
    /// A kind that only the library can read: `KCM:`, `KEYRING:`, `MEMORY:`.
    Other(String),
}

impl std::fmt::Display for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Cache::File(path) => write!(f, "{}", path.display()),
            Cache::Other(name) => f.write_str(name),
        }
    }
}

impl Cache {
    /// The one that the environment points to.
    pub(crate) fn of_environment() -> Cache {
        let named = env::var("KRB5CCNAME").ok().filter(|name| !name.is_empty());
        let name = named.or_else(default_name).unwrap_or_else(|| format!("/tmp/krb5cc_{}", user_id()));
        Cache::parse(&name)
    }

    pub(crate) fn parse(name: &str) -> Cache {
        match name.split_once(':') {
            None => Cache::File(PathBuf::from(name)),
            Some(("FILE", path)) => Cache::File(PathBuf::from(path)),
            Some(("DIR", folder)) => Cache::File(primary_of(Path::new(folder.trim_start_matches(':')))),
            Some(_) => Cache::Other(name.to_owned()),
        }
    }

    /// What it holds; None where only the library can tell.
    ///
    /// # Errors
    /// When there is no such file, or it is no cache.
    pub(crate) fn read(&self) -> io::Result<Option<Ticket>> {
        let Cache::File(path) = self else { return Ok(None) };
        let bytes = fs::read(path)?;
        let broken = || io::Error::new(io::ErrorKind::InvalidData, "it is no ticket cache, or a damaged one");
        parse(&bytes).map(Some).ok_or_else(broken)
    }
}

fn user_id() -> u32 {
    fs::metadata("/proc/self").map_or(0, |metadata| metadata.uid())
}

/// The cache in a folder of caches that is in use: the file `primary` names it.
fn primary_of(folder: &Path) -> PathBuf {
    let named = fs::read_to_string(folder.join("primary")).unwrap_or_default();
    folder.join(if named.trim().is_empty() { "tkt" } else { named.trim() })
}

/// `default_ccache_name` of the section `[libdefaults]`.
fn default_name() -> Option<String> {
    let files = env::var("KRB5_CONFIG").unwrap_or_else(|_| "/etc/krb5.conf".to_owned());
    files.split(':').find_map(|file| default_name_in(&fs::read_to_string(file).ok()?))
}

fn default_name_in(conf: &str) -> Option<String> {
    let lines = conf.lines().map(str::trim).skip_while(|line| *line != "[libdefaults]").skip(1);
    let mut section = lines.take_while(|line| !line.starts_with('['));
    let value = section.find_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == "default_ccache_name").then(|| value.trim().to_owned())
    })?;
    let id = user_id().to_string();
    Some(["%{uid}", "%{euid}", "%{USERID}"].iter().fold(value, |value, name| value.replace(name, &id)))
}

fn parse(bytes: &[u8]) -> Option<Ticket> {
    let mut rest = Reader(bytes);
    let [form, version] = rest.array()?;
    if form != 5 || !(3..=4).contains(&version) {
        return None;
    }
    if version == 4 {
        let length = rest.u16()?;
        rest.take(usize::from(length))?;
    }
    let owner = rest.principal()?;
    let mut found = Ticket { principal: owner.to_string(), ends_s: None, renewable_s: 0 };
    while !rest.0.is_empty() {
        let credential = rest.credential(version)?;
        if credential.server.is_of_realm(&owner.realm) {
            (found.ends_s, found.renewable_s) = (Some(credential.ends_s), credential.renewable_s);
        }
    }
    Some(found)
}

struct Principal {
    realm: String,
    parts: Vec<String>,
}

impl Principal {
    /// Whether it is the service that gives tickets of the realm to those of the realm.
    fn is_of_realm(&self, realm: &str) -> bool {
        self.realm == realm && self.parts.len() == 2 && self.parts[0] == "krbtgt" && self.parts[1] == realm
    }
}

impl std::fmt::Display for Principal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.parts.join("/"), self.realm)
    }
}

struct Credential {
    server: Principal,
    ends_s: u32,
    renewable_s: u32,
}

/// More than any cache has of parts of a name, addresses or notes of one ticket.
const MAX_ITEMS: u32 = 1000;

/// What is left of the file; each step is None where it ends too early.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n_bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n_bytes)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn data(&mut self) -> Option<&'a [u8]> {
        let length = self.u32()?;
        self.take(usize::try_from(length).ok()?)
    }

    fn count(&mut self) -> Option<u32> {
        self.u32().filter(|count| *count <= MAX_ITEMS)
    }

    fn text(&mut self) -> Option<String> {
        self.data().map(|data| String::from_utf8_lossy(data).into_owned())
    }

    fn principal(&mut self) -> Option<Principal> {
        let _kind = self.u32()?;
        let n_parts = self.count()?;
        let realm = self.text()?;
        let parts = (0..n_parts).map(|_| self.text()).collect::<Option<_>>()?;
        Some(Principal { realm, parts })
    }

    fn credential(&mut self, version: u8) -> Option<Credential> {
        let _client = self.principal()?;
        let server = self.principal()?;
        // The kind of its key stands there twice in version 3.
        self.take(if version == 3 { 4 } else { 2 })?;
        self.data()?;
        let [_login, _from, ends_s, renewable_s] = [self.u32()?, self.u32()?, self.u32()?, self.u32()?];
        let _is_session_key_and_flags = self.take(5)?;
        for _list in ["addresses", "notes"] {
            for _ in 0..self.count()? {
                self.u16()?;
                self.data()?;
            }
        }
        self.data()?;
        self.data()?;
        Some(Credential { server, ends_s, renewable_s })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `kinit -l 90s -r 1h` and `kvno hdfs/localhost` of MIT Kerberos 1.20.1 with a key nobody else has, and `xxd -p`.
    const CACHE: &str = include_str!("ticket_cache.hex");

    fn cache() -> Vec<u8> {
        let digits: Vec<u8> = CACHE.bytes().filter(u8::is_ascii_hexdigit).collect();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(byte).collect()
    }

    #[test]
    fn a_cache_tells_whose_it_is_and_until_when() {
        // As `klist` shows it: expires 2026-11-28 14:19:08, renew until 15:17:38.
        let expect =
            Ticket { principal: "alice@LAB.TEST".to_owned(), ends_s: Some(1_795_875_548), renewable_s: 1_795_879_058 };
        assert_eq!(parse(&cache()), Some(expect));
    }

    #[test]
    fn a_cache_that_stops_anywhere_is_no_cache_and_never_a_panic() {
        let whole = cache();
        let parsed = (0..whole.len()).filter_map(|length| parse(&whole[..length]));
        // Where it stops before a ticket, it is a whole cache of fewer: two tickets and a setting are in it.
        assert_eq!(parsed.map(|ticket| ticket.ends_s.is_some()).collect::<Vec<_>>(), [false, false, true]);
    }

    #[test]
    fn the_place_of_the_cache_is_read_as_the_library_reads_it() {
        let file = |path: &str| Cache::File(PathBuf::from(path));
        assert_eq!(Cache::parse("FILE:/run/a.cc"), file("/run/a.cc"));
        assert_eq!(Cache::parse("/run/a.cc"), file("/run/a.cc"));
        assert_eq!(Cache::parse("DIR:/nowhere"), file("/nowhere/tkt"));
        assert_eq!(Cache::parse("DIR::/nowhere"), file("/nowhere/tkt"));
        assert_eq!(Cache::parse("KCM:"), Cache::Other("KCM:".to_owned()));
        let conf =
            "[realms]\n default_ccache_name = x\n[libdefaults]\n  default_ccache_name = FILE:/run/%{uid}.cc\n[x]";
        assert_eq!(default_name_in(conf), Some(format!("FILE:/run/{}.cc", user_id())));
        assert_eq!(default_name_in("[libdefaults]\n[realms]\ndefault_ccache_name = x"), None);
    }
}
