"""PySpark scoring records from topic to topic: python kafka_spark.py MODEL SERVER FROM TO FOLDER DDL TRIGGER JARS [WARM_UP]

TRIGGER is `once`, which ends when everything that is there is scored and prints what the query took; `live`, which runs its
micro-batches as fast as it can until it is told to end; or `real-time`, which does not gather records into batches. With WARM_UP, a
topic, its records are scored into TO-warm before.
"""

import json
import signal
import sys
import time

from pyspark.ml import PipelineModel
from pyspark.sql import functions as f

import spark_session


def main():
    model, server, source, target, folder, ddl, trigger, jars, *warm_up = sys.argv[1:]
    spark = spark_session.start("local[2]", {"spark.jars": jars})
    model = PipelineModel.load(model)

    def start(source, target):
        options = {"kafka.bootstrap.servers": server, "subscribe": source, "startingOffsets": "earliest"}
        records = spark.readStream.format("kafka").options(**options).load()
        rows = records.select(f.from_json(f.col("value").cast("string"), ddl).alias("row")).select("row.*")
        selected = f.struct("id", "sent_us", "probability", "prediction")
        scored = model.transform(rows).select(f.to_json(selected).alias("value"))
        writer = scored.writeStream.format("kafka").option("kafka.bootstrap.servers", server).option("topic", target)
        if trigger == "once":
            writer = writer.trigger(availableNow=True)
        elif trigger == "real-time":
            writer = writer.outputMode("update").trigger(realTime="5 minutes")
        return writer.option("checkpointLocation", f"{folder}/{target}").start()

    for topic in warm_up:
        start(topic, f"{target}-warm").awaitTermination()
    cpu, begin = spark_session.cpu_seconds(spark), time.monotonic()
    query = start(source, target)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    query.awaitTermination()
    taken = {"wall_seconds": time.monotonic() - begin, "cpu_seconds": spark_session.cpu_seconds(spark) - cpu}
    print(json.dumps(taken))
    spark.stop()


if __name__ == "__main__":
    main()
