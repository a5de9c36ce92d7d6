//! A cluster that wants proof of who one is: `cargo xtask hdfs kerberos` starts it, and logs these tests in as alice.

mod messages;
mod tickets;

use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use crate::cluster::{Trial, told};

/// Something that renews a ticket.
struct Renewal(Child);

impl Drop for Renewal {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A ticket cache of alice's own, beside the one that these tests are logged in with.
struct Login {
    cache: PathBuf,
}

impl Login {
    /// An empty one in the folder of the trial.
    fn new(trial: &Trial, name: &str) -> Login {
        Login { cache: trial.loans.place.at(name) }
    }

    /// Fetches a ticket of this life with her keytab; it can be renewed for an hour.
    fn fetch(&self, life_s: u32) {
        let keytab = Path::new(&told("OGNIVO_KDC")).join("alice.keytab");
        let life = [format!("{life_s}s"), "1h".to_owned()];
        self.kinit(&["-k", "-t", keytab.to_str().unwrap(), "-l", &life[0], "-r", &life[1], "alice@LAB.TEST"]);
    }

    /// Renews the ticket that is there every few seconds, as a cron job would, for as long as what comes back lives.
    fn renew_every(&self, pause_s: u32) -> Renewal {
        let loop_of = format!("while sleep {pause_s}; do kinit -R -c {} || exit; done", self.name());
        Renewal(Command::new("sh").args(["-c", &loop_of]).spawn().unwrap())
    }

    fn kinit(&self, arguments: &[&str]) {
        let output = Command::new("kinit").arg("-c").arg(self.name()).args(arguments).output().unwrap();
        assert!(output.status.success(), "kinit: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// For `KRB5CCNAME`.
    fn name(&self) -> String {
        format!("FILE:{}", self.cache.display())
    }
}
