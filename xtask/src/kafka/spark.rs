//! Topics, in JSON and in Avro, and checkpoints, to real Spark and back.

use crate::fixtures;
use crate::program::{self, at_root, cargo};
use crate::services::kafka::{Broker, spark_jars};
use crate::spark;

/// Lets Spark read what we wrote, and both carry on each other's checkpoints.
///
/// # Errors
/// The first difference, or what could not be started.
pub(super) fn check(broker: &Broker) -> Result<(), String> {
    program::run(cargo().args(["build", "--quiet", "--package", "ognivo"]))?;
    let version = spark::VERSIONS[0];
    println!("== Spark {version} reads our topics, we read its Avro, and both carry on each other's checkpoint");
    for topic in ["interop-in", "interop-out", "avro-in", "avro-out", "spark-first", "ognivo-first"] {
        broker.make_topic(topic, 2)?;
    }
    let jars = format!("{},{}", spark_jars()?, fixtures::avro_jar()?.display());
    let mut script = at_root(spark::environment(version)?);
    script.env("PYTHONDONTWRITEBYTECODE", "1").arg("fixtures/spark/topics.py");
    program::run(script.arg(program::built("debug", "ognivo")).arg(broker.address()).arg(&jars))
}
