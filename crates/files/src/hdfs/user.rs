//! Who we are on a cluster, and where our home is there.

use super::conf::HadoopConf;
use super::login::Security;
use super::ticket::{Cache, Ticket};
use crate::users;

/// The home of the user that we are.
pub(super) fn home(conf: &HadoopConf) -> String {
    let user = user(conf);
    let above = conf.get("dfs.user.home.dir.prefix").unwrap_or_else(|| "/user".to_owned());
    format!("{}/{user}", above.trim_end_matches('/'))
}

/// Who we are on a cluster with these settings.
pub(super) fn user(conf: &HadoopConf) -> String {
    let named = std::env::var("HADOOP_USER_NAME").ok().filter(|name| !name.is_empty());
    let is_kerberos = Security::of(conf).is_kerberos;
    // A cache that only the library can read is taken to be that of the user who runs this process, as it mostly is.
    let ticket = if is_kerberos { Cache::of_environment().read().ok().flatten() } else { None };
    let proof = if is_kerberos { Proof::Ticket(ticket) } else { Proof::None { named } };
    proof.user(users::current())
}

/// How a cluster is told who we are.
enum Proof {
    /// By a Kerberos ticket, where its cache can be read.
    Ticket(Option<Ticket>),
    /// We say so, by `HADOOP_USER_NAME`, and are believed.
    None { named: Option<String> },
}

impl Proof {
    /// As Hadoop's client has it: with Kerberos, a name that is merely said counts for nothing.
    fn user(self, runs_process: Option<String>) -> String {
        let user = match self {
            Proof::Ticket(ticket) => ticket.map(|ticket| ticket.short_name().to_owned()),
            Proof::None { named } => named,
        };
        user.or(runs_process).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_kerberos_the_home_is_that_of_the_ticket_whatever_name_is_said() {
        let runs_process = || Some("root".to_owned());
        let ticket = |principal: &str| Ticket { principal: principal.to_owned(), ends_s: None, renewable_s: 0 };
        let said = |named: Option<&str>| Proof::None { named: named.map(str::to_owned) }.user(runs_process());
        assert_eq!([said(Some("mallory")), said(None)], ["mallory", "root"]);
        let shown = |ticket: Option<Ticket>| Proof::Ticket(ticket).user(runs_process());
        assert_eq!(shown(Some(ticket("alice@LAB.TEST"))), "alice");
        assert_eq!(shown(Some(ticket("hdfs/nn1.lab@LAB.TEST"))), "hdfs");
        assert_eq!(shown(None), "root");
    }
}
