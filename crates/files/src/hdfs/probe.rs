//! What a look at one cluster finds: settings, NameNodes, who we are there, DataNodes, room.

use std::sync::Arc;
use std::time::Duration;

use hdfs_native::Client;
use ognivo_stream::clock::Clock;
use ognivo_stream::probe::Check;

use super::conf::HadoopConf;
use super::connection::{Connection, Repeat};
use super::failed::Failed;
use super::greeting::{Greeting, greet};
use super::login::{DATA_PROTECTION, LIBRARY, Security, time};
use super::status_page::{Status, status};
use super::ticket::{Cache, Ticket};
use super::user::user;
use crate::probe::size;

/// A person waits for this.
const DEADLINE: Duration = Duration::from_secs(10);

/// A ticket that ends sooner is worth a word.
const SOON_S: i64 = 600;

/// Looks at the cluster behind `authority`, as in `hdfs://authority/…`. Nothing is changed.
pub(crate) async fn probe(authority: &str, clock: &dyn Clock) -> Vec<Check> {
    let conf = match HadoopConf::of_environment() {
        Ok(conf) => conf,
        Err(error) => return vec![Check::failed("Hadoop's settings", error.to_string(), None)],
    };
    let cluster = Cluster { authority, security: Security::of(&conf), conf };
    let mut checks = vec![settings()];
    let names = Connection::new(authority, &cluster.conf).name_nodes();
    if names.is_empty() {
        let text = format!("the settings list no NameNode of the name service {authority}");
        checks.push(Check::failed(
            "NameNode",
            text,
            Some("dfs.namenode.rpc-address.<service>.<name> gives its address".to_owned()),
        ));
        return checks;
    }
    let mut found = Vec::new();
    for name in &names {
        found.push((name.as_str(), cluster.look_at(name).await));
    }
    let is_served = found.iter().any(|(_, state)| matches!(state, State::Active { .. }));
    checks.extend(found.iter().map(|(name, state)| state.check(name, is_served)));
    checks.extend(cluster.login(&found, clock.now_ms()));
    if is_served {
        checks.extend(cluster.data_nodes().await);
    }
    checks
}

fn settings() -> Check {
    const WHAT: &str = "Hadoop's settings";
    match HadoopConf::place() {
        None => Check::fine(WHAT, "none (HADOOP_CONF_DIR is not set): Hadoop's defaults, no Kerberos"),
        Some((folder, found)) if found.is_empty() => {
            let text = format!("neither core-site.xml nor hdfs-site.xml is in {}", folder.display());
            Check::failed(WHAT, text, Some("let HADOOP_CONF_DIR name the folder in which they are".to_owned()))
        }
        Some((folder, found)) => Check::fine(WHAT, format!("{} in {}", found.join(" and "), folder.display())),
    }
}

struct Cluster<'a> {
    authority: &'a str,
    conf: HadoopConf,
    security: Security,
}

/// What became of one NameNode.
enum State {
    /// It serves us.
    Active { greeting: Greeting },
    /// It leaves that to another one.
    Standby,
    /// It is there and does not let us in.
    NotLetIn(Failed),
    /// It is not there, or does not answer.
    Away(Failed),
}

impl State {
    fn check(&self, address: &str, is_served: bool) -> Check {
        let what = format!("NameNode {address}");
        let hint = |text: &str| Some(text.to_owned());
        match self {
            State::Active { greeting } => {
                let methods = greeting.methods.join(" or ").to_lowercase();
                Check::fine(what, format!("active; lets in by {methods}"))
            }
            State::Standby if is_served => Check::fine(what, "standby"),
            State::Standby => Check::may_pass(
                what,
                "standby, and no other NameNode is active",
                hint("hdfs haadmin -transitionToActive"),
            ),
            State::NotLetIn(_) => Check::fine(what, "answers"),
            State::Away(failed) if is_served => {
                let text = format!("{}; the other one serves", failed.to_line());
                Check::warning(what, text, hint("start it: nothing is left to fail over to"))
            }
            State::Away(failed) => {
                let text = failed.to_line();
                Check::may_pass(what, text, hint("is it running, and is this its RPC port (dfs.namenode.rpc-address)?"))
            }
        }
    }
}

impl Cluster<'_> {
    async fn look_at(&self, address: &str) -> State {
        let greeting = match greet(address, DEADLINE).await {
            Ok(greeting) => greeting,
            Err(failed) => return State::Away(failed),
        };
        let alone = Arc::new(Connection::new(address, &self.conf).without_patience());
        let root = |client: Client| async move { Ok(client.get_file_info("/").await?) };
        match alone.call(Repeat::IfNotServed, DEADLINE, root).await {
            Ok(_) => State::Active { greeting },
            Err(failed) if failed.is_of_standby() => State::Standby,
            Err(failed @ Failed::Login(..)) => State::NotLetIn(failed),
            // Who may not look at the root is let in all the same.
            Err(failed) if failed.is_refusal() => State::Active { greeting },
            Err(failed) => State::Away(failed),
        }
    }

    fn login(&self, found: &[(&str, State)], now_ms: i64) -> Vec<Check> {
        const WHAT: &str = "logged in";
        let kept_out = found.iter().find_map(|(_, state)| match state {
            State::NotLetIn(failed) => Some(failed),
            _ => None,
        });
        if let Some(Failed::Login(failure, was_in)) = kept_out {
            return vec![match failure.is_for_now(*was_in) {
                true => Check::may_pass(WHAT, failure.to_string(), Some(failure.hint())),
                false => Check::failed(WHAT, failure.to_string(), Some(failure.hint())),
            }];
        }
        let Some(greeting) = found.iter().find_map(|(_, state)| match state {
            State::Active { greeting } => Some(greeting),
            _ => None,
        }) else {
            return Vec::new();
        };
        if !self.security.is_kerberos {
            return vec![Check::fine(WHAT, format!("as {}, without a proof (no Kerberos)", user(&self.conf)))];
        }
        if greeting.is_open() {
            let text = format!("as {}: our settings name Kerberos, the cluster lets in everybody", user(&self.conf));
            return vec![Check::warning(
                WHAT,
                text,
                Some("hadoop.security.authentication differs between the two".to_owned()),
            )];
        }
        let cache = Cache::of_environment();
        let login = match cache.read() {
            Ok(Some(ticket)) => logged_in(&ticket, &cache, now_ms),
            _ => Check::fine(WHAT, format!("with the ticket in {cache}, which only its library can read")),
        };
        let mut checks = vec![login];
        checks.extend(library());
        if self.security.lacks_data_protection() {
            let text = format!(
                "{DATA_PROTECTION} is not set: DataNodes close the connection, unless their ports are below 1024"
            );
            let hint = Some("set it in hdfs-site.xml of HADOOP_CONF_DIR as the cluster does".to_owned());
            checks.push(Check::warning("protection of data", text, hint));
        }
        checks
    }

    /// Live DataNodes against the replication, and the room that is left; told by the NameNode's page for machines.
    async fn data_nodes(&self) -> Vec<Check> {
        const WHAT: &str = "DataNodes";
        let Some(status) = status(self.authority, &self.conf, DEADLINE).await else { return Vec::new() };
        let status = match status {
            Ok(status) => status,
            Err((page, error)) => {
                let text = format!("cannot be asked for on the NameNode's page: {error}: {page}");
                return vec![Check::warning(WHAT, text, Some("the page is at dfs.namenode.http-address".to_owned()))];
            }
        };
        let replication = self.conf.get("dfs.replication").and_then(|n| n.parse().ok()).unwrap_or(3);
        vec![live(&status, replication), room(&status)]
    }
}

/// Who the ticket says we are.
fn logged_in(ticket: &Ticket, cache: &Cache, now_ms: i64) -> Check {
    const WHAT: &str = "logged in";
    let Ticket { principal, ends_s: Some(ends_s), renewable_s } = ticket else {
        return Check::fine(WHAT, format!("as {} with {cache}", ticket.principal));
    };
    let left_s = i64::from(*ends_s) - now_ms / 1000;
    let renewable =
        if renewable_s > ends_s { format!(", renewable until {}", time(*renewable_s)) } else { String::new() };
    let text = format!("as {principal} until {} ({}){renewable}", time(*ends_s), duration(left_s));
    match left_s < SOON_S {
        true => {
            let hint = Some("let something renew it while a stream runs (k5start, or kinit -R from cron)".to_owned());
            Check::warning(WHAT, text, hint)
        }
        false => Check::fine(WHAT, text),
    }
}

fn duration(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s left"),
        120..7200 => format!("{} min left", seconds / 60),
        _ => format!("{} h left", seconds / 3600),
    }
}

/// The file of the library that let us in.
fn library() -> Option<Check> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let file = maps
        .lines()
        .filter_map(|line| line.split_whitespace().last())
        .find(|file| file.contains(LIBRARY.trim_end_matches(".2")))?;
    Some(Check::fine("Kerberos library", file.to_owned()))
}

fn live(status: &Status, replication: u64) -> Check {
    const WHAT: &str = "DataNodes";
    let text = format!("{} live, {} dead; dfs.replication is {replication} here", status.live, status.dead);
    match (status.is_safe_mode, status.live) {
        (true, _) => Check::may_pass(
            WHAT,
            format!("{text}; the NameNode is in safe mode"),
            Some("hdfs dfsadmin -safemode get".to_owned()),
        ),
        (false, 0) => Check::may_pass(WHAT, text, Some("no file can be written; start a DataNode".to_owned())),
        (false, live) if live < replication => {
            let hint = "files get fewer copies than asked for; start DataNodes, or set dfs.replication";
            Check::warning(WHAT, text, Some(hint.to_owned()))
        }
        _ => Check::fine(WHAT, text),
    }
}

fn room(status: &Status) -> Check {
    let text = format!("{} of {} on all DataNodes", size(status.remaining_bytes), size(status.total_bytes));
    crate::probe::room_check("room of the cluster", status.remaining_bytes, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ognivo_stream::probe::Found;

    /// `ok`, `warn`, `later` or `fail`, and the text.
    fn told(check: Check) -> String {
        let (mark, text) = match check.found {
            Found::Fine { text } => ("ok", text),
            Found::Warning { text, .. } => ("warn", text),
            Found::Failed { text, may_pass: true, .. } => ("later", text),
            Found::Failed { text, .. } => ("fail", text),
        };
        format!("{mark}: {text}")
    }

    #[test]
    fn a_name_node_that_is_away_matters_as_much_as_the_others_serve() {
        let away = || State::Away(Failed::Late(DEADLINE));
        assert_eq!(told(State::Standby.check("nn2:8020", true)), "ok: standby");
        assert_eq!(told(State::Standby.check("nn2:8020", false)), "later: standby, and no other NameNode is active");
        assert_eq!(told(away().check("nn2:8020", true)), "warn: no answer within 10 s; the other one serves");
        assert_eq!(told(away().check("nn2:8020", false)), "later: no answer within 10 s");
    }

    #[test]
    fn a_ticket_that_ends_soon_is_worth_a_word() {
        let ticket = Ticket { principal: "alice@LAB.TEST".to_owned(), ends_s: Some(1_700_000_000), renewable_s: 0 };
        let cache = Cache::of_environment();
        let at = |left_s: i64| told(logged_in(&ticket, &cache, (1_700_000_000 - left_s) * 1000));
        let until = "as alice@LAB.TEST until 2023-11-14T22:13:20Z";
        assert_eq!(at(7200), format!("ok: {until} (2 h left)"));
        assert_eq!(at(601), format!("ok: {until} (10 min left)"));
        assert_eq!(at(90), format!("warn: {until} (90 s left)"));
    }

    #[test]
    fn data_nodes_are_enough_for_the_replication_or_for_one_copy_or_for_none() {
        let status = |live, is_safe_mode| Status { live, dead: 1, is_safe_mode, total_bytes: 0, remaining_bytes: 0 };
        let at = |live, is_safe_mode| told(super::live(&status(live, is_safe_mode), 3));
        assert_eq!(at(3, false), "ok: 3 live, 1 dead; dfs.replication is 3 here");
        assert_eq!(at(2, false), "warn: 2 live, 1 dead; dfs.replication is 3 here");
        assert_eq!(at(0, false), "later: 0 live, 1 dead; dfs.replication is 3 here");
        assert!(at(3, true).starts_with("later: "));
    }
}
