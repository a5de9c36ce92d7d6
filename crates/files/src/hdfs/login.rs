//! Why a cluster does not let us in, in words that say what to do.
//!
//! The client tells what its Kerberos library says, if it comes to that. What is known here is asked first: the settings, the
//! ticket cache, and what the NameNode says to everybody.

use std::fmt;
use std::io;

use chrono::DateTime;

use super::conf::HadoopConf;
use super::failed::WasIn;
use super::ticket::{Cache, Ticket};

/// How the settings let us in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Security {
    /// We log in with Kerberos; else we are who we say we are.
    pub(crate) is_kerberos: bool,
    /// The settings say how data is protected on its way, without which DataNodes of such a cluster close the connection.
    pub(crate) is_data_protected: bool,
}

impl Security {
    /// As the client understands the settings.
    pub(crate) fn of(conf: &HadoopConf) -> Security {
        Security {
            is_kerberos: conf.get("hadoop.security.authentication").is_some_and(|method| method != "simple"),
            is_data_protected: conf.get(DATA_PROTECTION).is_some(),
        }
    }

    /// Whether DataNodes close the connection, unless they listen on ports that only root may have.
    pub(crate) fn lacks_data_protection(self) -> bool {
        self.is_kerberos && !self.is_data_protected
    }
}

/// The key that a client of a cluster with Kerberos must have.
pub(crate) const DATA_PROTECTION: &str = "dfs.data.transfer.protection";

/// The library that the client opens when it needs Kerberos.
pub(crate) const LIBRARY: &str = "libgssapi_krb5.so.2";

/// Why we are not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LoginFailure {
    /// The cluster wants Kerberos, and our settings say nothing of it.
    WantsKerberos,
    /// The library is not on this machine.
    NoLibrary,
    /// There is no ticket.
    NoTicket {
        /// Where it was looked for, and what was there.
        cache: String,
    },
    /// There was one.
    Expired {
        /// Who we were.
        principal: String,
        /// Until when, in seconds since 1970.
        ended_s: u32,
    },
    /// There is one, and whoever gives those of services does not answer.
    NoKdc {
        /// What the library says.
        said: String,
    },
    /// There is one, and it is not taken.
    NotTaken {
        /// Who we are, where that can be told.
        principal: Option<String>,
        /// What the library or the server says.
        said: String,
    },
}

impl LoginFailure {
    /// Why the client's Kerberos library, which said this, could not log in.
    pub(crate) fn of_library(said: &str, now_ms: i64) -> LoginFailure {
        let cache = Cache::of_environment();
        LoginFailure::told(said, &cache, cache.read(), now_ms)
    }

    fn told(said: &str, cache: &Cache, read: io::Result<Option<Ticket>>, now_ms: i64) -> LoginFailure {
        let said = minor(said).to_owned();
        let not_taken = |principal, said: String| match said.contains("Cannot contact any KDC") {
            true => LoginFailure::NoKdc { said },
            false => LoginFailure::NotTaken { principal, said },
        };
        match read {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                LoginFailure::NoTicket { cache: format!("there is no {cache}") }
            }
            Err(error) => LoginFailure::NoTicket { cache: format!("cannot read {cache}: {error}") },
            Ok(Some(Ticket { principal, ends_s: None, .. })) => {
                LoginFailure::NoTicket { cache: format!("{cache} of {principal} holds none") }
            }
            Ok(Some(Ticket { principal, ends_s: Some(ended_s), .. })) => {
                // The library counts one that ends this second as ended.
                match i64::from(ended_s) * 1000 <= now_ms + 1000 {
                    true => LoginFailure::Expired { principal, ended_s },
                    false => not_taken(Some(principal), said),
                }
            }
            Ok(None) => not_taken(None, said),
        }
    }

    /// Whether it may pass with nothing done to the job: whoever got the ticket can be expected to renew it. One that is missed
    /// may only be under way where it was there before.
    pub(crate) fn is_for_now(&self, was_in: WasIn) -> bool {
        match self {
            LoginFailure::Expired { .. } | LoginFailure::NoKdc { .. } => true,
            LoginFailure::NoTicket { .. } => was_in.0,
            LoginFailure::WantsKerberos | LoginFailure::NoLibrary | LoginFailure::NotTaken { .. } => false,
        }
    }

    /// What to do.
    pub(crate) fn hint(&self) -> String {
        match self {
            LoginFailure::WantsKerberos => {
                "let HADOOP_CONF_DIR name the folder of the cluster's core-site.xml, in which hadoop.security.authentication is \
                 kerberos, and get a ticket with kinit"
            }
            LoginFailure::NoLibrary => "on Debian: apt-get install libgssapi-krb5-2; on Red Hat: yum install krb5-libs",
            LoginFailure::NoTicket { .. } => {
                "get a ticket with kinit, or let KRB5CCNAME name the cache in which it is; a running job picks it up"
            }
            LoginFailure::Expired { .. } => "renew it with kinit -R or kinit; a running job picks it up",
            LoginFailure::NoKdc { .. } => "is it running, and is it the one that krb5.conf names for the realm?",
            LoginFailure::NotTaken { said, .. } if said.contains("Clock skew") => "let NTP set the clocks of both machines",
            LoginFailure::NotTaken { .. } => {
                "compare the ticket's realm (klist) with that of the cluster, and the realms and domain_realm of krb5.conf"
            }
        }
        .to_owned()
    }
}

impl fmt::Display for LoginFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoginFailure::WantsKerberos => f.write_str("the cluster wants Kerberos, and our settings do not name it"),
            LoginFailure::NoLibrary => write!(f, "Kerberos needs a library that is not on this machine: {LIBRARY}"),
            LoginFailure::NoTicket { cache } => write!(f, "no Kerberos ticket: {cache}"),
            LoginFailure::Expired { principal, ended_s } => {
                write!(f, "the Kerberos ticket of {principal} has expired: {}", time(*ended_s))
            }
            LoginFailure::NoKdc { said } => write!(f, "the KDC does not answer: {said}"),
            LoginFailure::NotTaken { principal: Some(principal), said } => {
                write!(f, "the Kerberos ticket of {principal} is not taken: {said}")
            }
            LoginFailure::NotTaken { principal: None, said } => write!(f, "Kerberos does not let us in: {said}"),
        }
    }
}

/// As `2026-11-28T14:20:00Z`.
pub(crate) fn time(seconds: u32) -> String {
    let time = DateTime::from_timestamp(i64::from(seconds), 0).unwrap_or_default();
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// What is said of the matter, behind what is said of every matter.
fn minor(said: &str) -> &str {
    const EVERY: &str = "Minor code may provide more information";
    let told = said.split_once(EVERY).map_or(said, |(_, told)| told);
    told.trim_start_matches([':', ' ', ',', '.']).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "Unspecified GSS failure.  Minor code may provide more information: Server \
                        krbtgt/OTHER.TEST@LAB.TEST not found in Kerberos database";

    fn ticket(ends_s: Option<u32>) -> Ticket {
        Ticket { principal: "alice@LAB.TEST".to_owned(), ends_s, renewable_s: 0 }
    }

    #[track_caller]
    fn check(read: io::Result<Option<Ticket>>, expect: &str) {
        let told = LoginFailure::told(SAID, &Cache::parse("/run/a.cc"), read, 1_700_000_000_000);
        assert_eq!(told.to_string(), expect);
    }

    #[test]
    fn what_is_wrong_is_told_from_the_ticket_cache_first() {
        check(Err(io::ErrorKind::NotFound.into()), "no Kerberos ticket: there is no /run/a.cc");
        check(
            Err(io::ErrorKind::PermissionDenied.into()),
            "no Kerberos ticket: cannot read /run/a.cc: permission denied",
        );
        check(Ok(Some(ticket(None))), "no Kerberos ticket: /run/a.cc of alice@LAB.TEST holds none");
        let ended = "the Kerberos ticket of alice@LAB.TEST has expired: 2023-11-14T22:13:20Z";
        check(Ok(Some(ticket(Some(1_700_000_000)))), ended);
        let other = "not taken: Server krbtgt/OTHER.TEST@LAB.TEST not found in Kerberos database";
        check(Ok(Some(ticket(Some(1_700_000_060)))), &format!("the Kerberos ticket of alice@LAB.TEST is {other}"));
        let unread = "Kerberos does not let us in: Server krbtgt/OTHER.TEST@LAB.TEST not found in Kerberos database";
        check(Ok(None), unread);
    }
}
