"""Rows into a table by PySpark and the Spark Cassandra connector: python cassandra_spark.py HOST:PORT JARS N_UNDER_WAY N_CONNECTIONS

A process that stays: for each number that it reads it writes so many rows of an id, a prediction and a list of two doubles into
bench.by_spark, and prints {"n", "wall_seconds", "cpu_seconds"}, of this process and of the JVM.
"""

import json
import sys
import time

import spark_session

N_TASKS = 2


def main():
    contact_point, jars, n_under_way, n_connections = sys.argv[1:]
    host, port = contact_point.split(":")
    spark = spark_session.start(
        f"local[{N_TASKS}]",
        {
            "spark.jars": jars,
            "spark.cassandra.connection.host": host,
            "spark.cassandra.connection.port": port,
            "spark.cassandra.auth.username": "cassandra",
            "spark.cassandra.auth.password": "cassandra",
            "spark.cassandra.connection.localConnectionsPerExecutor": n_connections,
            "spark.cassandra.output.consistency.level": "LOCAL_QUORUM",
            # Of each task.
            "spark.cassandra.output.concurrent.writes": str(int(n_under_way) // N_TASKS),
        },
    )
    start = 0
    for line in sys.stdin:
        n = int(line)
        rows = spark.range(start, start + n, 1, N_TASKS).selectExpr(
            "id", "cast(id % 2 as double) prediction", "array(2 * id / 7.0D, (2 * id + 1) / 7.0D) probability"
        )
        cpu, wall = spark_session.cpu_seconds(spark), time.monotonic()
        table = {"keyspace": "bench", "table": "by_spark"}
        rows.write.format("org.apache.spark.sql.cassandra").options(**table).mode("append").save()
        wall, cpu = time.monotonic() - wall, spark_session.cpu_seconds(spark) - cpu
        start += n
        print(json.dumps({"n": n, "wall_seconds": wall, "cpu_seconds": cpu}), flush=True)
    spark.stop()


if __name__ == "__main__":
    main()
