"""PySpark scoring files as they come: python stream_spark.py MODEL FOLDER DDL TRIGGER

FOLDER holds `incoming` and gets `output` and `checkpoint`. TRIGGER is `once`, which ends when everything that is there is
scored, or `live`, which ends when it is told to.
"""

import signal
import sys

from pyspark.ml import PipelineModel

import spark_session

SELECTED = ["features", "rawPrediction", "probability", "prediction"]


def main():
    model, folder, ddl, trigger = sys.argv[1:]
    spark = spark_session.start("local[2]")
    rows = spark.readStream.schema(ddl).options(header="true", maxFilesPerTrigger="1").csv(f"{folder}/incoming")
    scored = PipelineModel.load(model).transform(rows).select(*SELECTED)
    writer = scored.writeStream.format("parquet").option("checkpointLocation", f"{folder}/checkpoint")
    if trigger == "once":
        writer = writer.trigger(availableNow=True)
    query = writer.start(f"{folder}/output")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    query.awaitTermination()
    spark.stop()


if __name__ == "__main__":
    main()
