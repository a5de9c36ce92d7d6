"""PySpark's linear regression by the normal equation, rows in memory, two cores: linear_spark.py FILE N_FEATURES FITS

FILE is what linear_sklearn.py makes. Its rows become Parquet beside it at the first call, since Spark takes long to read doubles
from bytes; then they are assembled to vectors and cached before anything is measured. Prints one line of JSON: coefficients,
intercept, and the wall and CPU time of a fit, which are the means of FITS after two that are not measured: a fit includes the
metrics of the training summary, which Spark always computes.
"""

import json
import os
import struct
import sys
import time

import spark_session
from pyspark.ml.feature import VectorAssembler
from pyspark.ml.regression import LinearRegression


def parquet(spark, path, n_features):
    target = f"{path}.parquet"
    if not os.path.exists(os.path.join(target, "_SUCCESS")):
        n_numbers = n_features + 1
        form = f"<{n_numbers}d"
        rows = spark.sparkContext.binaryRecords(path, 8 * n_numbers).map(lambda record: struct.unpack(form, bytes(record)))
        ddl = ", ".join([*(f"x{j} double" for j in range(n_features)), "label double"])
        spark.createDataFrame(rows, ddl).write.mode("overwrite").parquet(target)
    return spark.read.parquet(target)


def main():
    path, n_features, n_fits = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    spark = spark_session.start("local[2]")
    assembler = VectorAssembler(inputCols=[f"x{j}" for j in range(n_features)], outputCol="features")
    data = assembler.transform(parquet(spark, path, n_features)).select("features", "label").cache()
    data.count()
    regression = LinearRegression(solver="normal")
    for _ in range(2):
        regression.fit(data)
    wall, cpu = time.monotonic(), spark_session.cpu_seconds(spark)
    for _ in range(n_fits):
        model = regression.fit(data)
    wall, cpu = time.monotonic() - wall, spark_session.cpu_seconds(spark) - cpu
    told = {"coefficients": list(model.coefficients), "intercept": model.intercept, "r2": model.summary.r2}
    print(json.dumps({**told, "wall_seconds": wall / n_fits, "cpu_seconds": cpu / n_fits}))
    spark.stop()


if __name__ == "__main__":
    main()
