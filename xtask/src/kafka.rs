//! `cargo xtask kafka`: the source, the sink and whole jobs on a real broker, with kills and faults.

mod spark;

use std::process::Command;

use crate::program::{self, cargo};
use crate::services::kafka::Broker;
use crate::services::kafka::three::Three;
use crate::services::registry::{Certificate, Registry};

/// Where these brokers keep what they have, below the cache folder: apart from those of a developer.
const FOLDER: &str = "services/kafka-tests";
const FOLDER_OF_THREE: &str = "services/kafka-three-tests";
const FOLDER_OF_REGISTRY: &str = "services/registry-tests";

const USAGE: &str = "usage: cargo xtask kafka [avro | logins | three | spark | campaign [--runs N] [--seed S]]";

/// Starts brokers, runs what was asked for, and stops them, whatever came out.
///
/// # Errors
/// What failed first; a broker that cannot be started is a failure too.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    match Asked::parse(arguments)? {
        Asked::Everything => {
            on_a_broker(|broker| {
                SOURCE_AND_SINK.run(broker, &[])?;
                on_a_registry(broker, |registry| {
                    [WHOLE_JOBS, DEATHS_OF_REGISTRY].iter().try_for_each(|part| part.run(broker, registry))
                })
            })?;
            on_a_broker(|broker| FAULTS.run(broker, &[]))
        }
        Asked::Avro => on_a_broker(|broker| {
            on_a_registry(broker, |registry| {
                [AVRO, DEATHS_OF_REGISTRY].iter().try_for_each(|part| part.run(broker, registry))
            })
        }),
        Asked::Logins => with_every_login(),
        // No part of everything, and so of CI, until more runs have passed: docs/reliability.md.
        Asked::Three => on_three_brokers(),
        Asked::Spark => on_a_broker(spark::check),
        Asked::Campaign { n_runs, seed } => campaign(n_runs, seed),
    }
}

enum Asked {
    Everything,
    Avro,
    Logins,
    Three,
    Spark,
    Campaign { n_runs: u64, seed: Option<u64> },
}

/// Runs of a campaign, when nobody says how many.
const N_RUNS: u64 = 160;

impl Asked {
    fn parse(arguments: &[String]) -> Result<Asked, String> {
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        match words[..] {
            [] => return Ok(Asked::Everything),
            ["avro"] => return Ok(Asked::Avro),
            ["logins"] => return Ok(Asked::Logins),
            ["three"] => return Ok(Asked::Three),
            ["spark"] => return Ok(Asked::Spark),
            ["campaign", ..] => {}
            _ => return Err(USAGE.to_owned()),
        }
        let (mut n_runs, mut seed) = (N_RUNS, None);
        for option in words[1..].chunks(2) {
            let number = |word: &str| word.parse::<u64>().map_err(|_| format!("not a number: {word}\n{USAGE}"));
            match option {
                ["--runs", n] => n_runs = number(n)?,
                ["--seed", n] => seed = Some(number(n)?),
                _ => return Err(USAGE.to_owned()),
            }
        }
        Ok(Asked::Campaign { n_runs, seed })
    }
}

fn on_a_broker(work: impl FnOnce(&Broker) -> Result<(), String>) -> Result<(), String> {
    let broker = Broker::start_empty(FOLDER)?;
    let done = work(&broker);
    let stopped = Broker::stop_in(FOLDER);
    done.and(stopped)
}

/// Gives `work` what tells tests where the registry is; its certificate is the broker's.
fn on_a_registry(broker: &Broker, work: impl FnOnce(&[(&str, String)]) -> Result<(), String>) -> Result<(), String> {
    let certs = broker.folder().join("certs");
    let certificate = Certificate { certificate: certs.join("broker.crt"), key: certs.join("broker.key") };
    let registry = Registry::start_empty(FOLDER_OF_REGISTRY, Some(&certificate))?;
    let servers = registry.folder().display().to_string();
    let done = work(&[
        ("OGNIVO_REGISTRY", registry.url()),
        ("OGNIVO_REGISTRY_TLS", registry.tls_url()),
        ("OGNIVO_REGISTRY_SERVERS", servers),
    ]);
    let stopped = Registry::stop_in(FOLDER_OF_REGISTRY);
    done.and(stopped)
}

/// Logins, also those that want a library of the system: no part of CI, which builds without them.
fn with_every_login() -> Result<(), String> {
    let done = Broker::start_with_kerberos(FOLDER).and_then(|broker| {
        let kdc = broker.kdc().ok_or("the broker has no KDC")?;
        let mut tests = cargo();
        tests.args(["test", "--package", "ognivo-kafka", "--features", "gssapi,oidc", "--test", "it", "--"]);
        tests.args(["--nocapture", "rights::"]).env("OGNIVO_KDC", kdc.folder());
        tests.env("KRB5_CONFIG", kdc.client_conf()).env("KRB5CCNAME", kdc.folder().join("frank.cc"));
        program::run(on(&broker, &mut tests)).map_err(|e| format!("{e}\n{LIBRARIES}"))
    });
    let stopped = Broker::stop_in(FOLDER);
    done.and(stopped)
}

const LIBRARIES: &str =
    "it needs, on Debian: apt-get install libsasl2-dev libsasl2-modules-gssapi-mit krb5-user libcurl4-openssl-dev";

fn on_three_brokers() -> Result<(), String> {
    println!("== one of three brokers at a time dies");
    let three = Three::start_empty(FOLDER_OF_THREE)?;
    let mut tests = cargo();
    tests.args(["test", "--package", "ognivo-kafka", "--test", "it", "--", "three::", "--nocapture"]);
    tests.env("OGNIVO_KAFKA", three.addresses()).env("OGNIVO_KAFKA_SERVERS", three.folder());
    let done = program::run(tests.env("OGNIVO_KAFKA_REPLICATION", "3"));
    let stopped = Three::stop_in(FOLDER_OF_THREE);
    done.and(stopped)
}

/// Some of the tests.
struct Tests {
    name: &'static str,
    package: &'static str,
    test: &'static str,
    filter: &'static [&'static str],
}

/// They mostly wait for groups and transactions to time out, so many of them run at a time.
const SOURCE_AND_SINK: Tests = Tests {
    name: "source and sink",
    package: "ognivo-kafka",
    test: "it",
    filter: &["--test-threads=8", "--skip=faults::", "--skip=three::"],
};

const WHOLE_JOBS: Tests = Tests {
    name: "whole jobs",
    package: "ognivo",
    test: "kafka",
    filter: &["--test-threads=4", "--nocapture", "--skip=tables::", "--skip=registry::"],
};

/// Of whole jobs.
const AVRO: Tests = Tests { name: "Avro", filter: &["--nocapture", "avro::"], ..WHOLE_JOBS };

/// Run alone: the others need the registry.
const DEATHS_OF_REGISTRY: Tests = Tests {
    name: "a schema registry that dies",
    package: "ognivo",
    test: "kafka",
    filter: &["--test-threads=1", "--nocapture", "registry::"],
};

/// Run alone, on a broker that holds nothing else: the more partitions it has, the longer it takes to come back.
const FAULTS: Tests = Tests {
    name: "a broker that fails",
    package: "ognivo-kafka",
    test: "it",
    filter: &["--test-threads=1", "--nocapture", "faults::"],
};

impl Tests {
    fn run(&self, broker: &Broker, variables: &[(&str, String)]) -> Result<(), String> {
        println!("== {}", self.name);
        let mut tests = cargo();
        tests.args(["test", "--package", self.package, "--test", self.test, "--"]).args(self.filter);
        program::run(on(broker, &mut tests).envs(variables.iter().map(|(name, value)| (name, value))))
    }
}

/// Tells tests where the broker is.
fn on<'a>(broker: &Broker, tests: &'a mut Command) -> &'a mut Command {
    tests.env("OGNIVO_KAFKA", broker.address()).env("OGNIVO_KAFKA_SERVERS", broker.folder());
    tests.env("OGNIVO_KAFKA_SASL", broker.sasl_address()).env("OGNIVO_KAFKA_TLS", broker.tls_address());
    tests.env("OGNIVO_KAFKA_CERTIFICATE", broker.certificate_address())
}

/// For each so many runs of a campaign, one in which the broker dies.
const RUNS_A_BROKER_DEATH: u64 = 4;

/// Seconds of three instances with random kills in a campaign.
const SECONDS: u64 = 300;

/// Deaths by the hundred, each run from a seed that is printed: what CI tries a little of.
fn campaign(n_runs: u64, seed: Option<u64>) -> Result<(), String> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(1, |since| since.as_secs());
    let variables = [
        ("OGNIVO_KAFKA_SEED", seed.unwrap_or(now).to_string()),
        ("OGNIVO_KAFKA_RUNS", n_runs.to_string()),
        ("OGNIVO_KAFKA_BROKER_RUNS", n_runs.div_ceil(RUNS_A_BROKER_DEATH).to_string()),
        ("OGNIVO_KAFKA_SECONDS", SECONDS.to_string()),
    ];
    println!("== campaign: cargo xtask kafka campaign --runs {n_runs} --seed {}", variables[0].1);
    let jobs = |name, filter| Tests { name, package: "ognivo", test: "kafka", filter };
    let parts = [
        jobs("deaths of instances", &["campaign::", "--nocapture"]),
        jobs("three instances with random kills", &["three_instances", "--nocapture"]),
        FAULTS,
    ];
    parts.iter().try_for_each(|part| on_a_broker(|broker| part.run(broker, &variables)))
}
