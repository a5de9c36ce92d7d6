//! A Kerberos KDC of Debian's packages (`krb5-kdc krb5-admin-server krb5-user`) on a free port of the loopback.
//!
//! ```text
//! <folder>/krb5.conf kdc.conf        of its own: nothing of the machine's is read or changed
//! <folder>/principal* stash          what it knows; an earlier run's is removed at the start
//! <folder>/<user>.keytab             the keys of the users that it was told of
//! <folder>/kdc.log kdc.pid
//! ```

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::server::Server;

/// The realm of all tests.
pub(crate) const REALM: &str = "LAB.TEST";

const KDC: &str = "kdc";

/// What its packages are called, for whoever misses them.
const MISSING: &str = "on Debian: apt-get install krb5-kdc krb5-admin-server krb5-user libgssapi-krb5-2";

/// A running KDC.
#[derive(Debug)]
pub(crate) struct Kdc {
    folder: PathBuf,
}

impl Kdc {
    /// Starts one that knows the principals of `services` (in one keytab, `services.keytab`) and of `users` (a keytab each).
    ///
    /// # Errors
    /// What could not be done.
    pub(crate) fn start(folder: &Path, services: &[&str], users: &[&str]) -> Result<Kdc, String> {
        let failed = |e: std::io::Error| format!("cannot prepare {}: {e}", folder.display());
        fs::create_dir_all(folder).map_err(failed)?;
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).map_err(failed)?.port();
        let kdc = Kdc { folder: folder.to_owned() };
        fs::write(kdc.client_conf(), client_conf(port)).map_err(failed)?;
        fs::write(folder.join("kdc.conf"), kdc.server_conf(port)).map_err(failed)?;
        kdc.run("kdb5_util", &["create", "-s", "-r", REALM, "-P", "a password of tests"])?;
        for (name, keytab) in
            services.iter().map(|name| (*name, "services")).chain(users.iter().map(|name| (*name, *name)))
        {
            kdc.run("kadmin.local", &["-q", &format!("addprinc -randkey {name}")])?;
            let keytab = kdc.keytab(keytab);
            kdc.run("kadmin.local", &["-q", &format!("ktadd -k {} {name}", keytab.display())])?;
        }
        let mut server = kdc.command("krb5kdc");
        server.arg("-n").arg("-P").arg(folder.join("krb5kdc.pid"));
        Server::start(KDC, folder, &mut server).map_err(|e| format!("{e}\n{MISSING}"))?;
        Ok(kdc)
    }

    /// Stops the one that runs in `folder`.
    ///
    /// # Errors
    /// When it does not end.
    pub(crate) fn stop_in(folder: &Path) -> Result<(), String> {
        Server::find(KDC, folder).map_or(Ok(()), |server| server.stop())
    }

    /// Where its files are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// `krb5.conf`, for `KRB5_CONFIG`.
    pub(crate) fn client_conf(&self) -> PathBuf {
        self.folder.join("krb5.conf")
    }

    /// The keys of a user, or of `services`.
    pub(crate) fn keytab(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.keytab"))
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        // Debian puts servers where not everybody looks.
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
        command.env("KRB5_CONFIG", self.client_conf()).env("KRB5_KDC_PROFILE", self.folder.join("kdc.conf"));
        command
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Result<(), String> {
        let mut command = self.command(program);
        let output = command.args(arguments).stdin(Stdio::null()).output();
        let output = output.map_err(|e| format!("cannot start {program}: {e}\n{MISSING}"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        // kadmin.local ends well whatever happened.
        match output.status.success() && !said.contains("while") {
            true => Ok(()),
            false => Err(format!("{program} {}: {said}", arguments.join(" "))),
        }
    }

    fn server_conf(&self, port: u16) -> String {
        let at = |name: &str| self.folder.join(name).display().to_string();
        format!(
            "[kdcdefaults]\n kdc_listen = 127.0.0.1:{port}\n kdc_tcp_listen = 127.0.0.1:{port}\n[realms]\n {REALM} = {{\n  \
             database_name = {}\n  key_stash_file = {}\n  acl_file = {}\n  max_renewable_life = 1d\n }}\n",
            at("principal"),
            at("stash"),
            at("kadm5.acl")
        )
    }
}

fn client_conf(port: u16) -> String {
    format!(
        "[libdefaults]\n default_realm = {REALM}\n dns_lookup_kdc = false\n dns_lookup_realm = false\n \
         dns_canonicalize_hostname = false\n rdns = false\n udp_preference_limit = 1\n[realms]\n {REALM} = {{\n  \
         kdc = 127.0.0.1:{port}\n }}\n[domain_realm]\n localhost = {REALM}\n"
    )
}
