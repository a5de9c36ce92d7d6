"""PySpark fitting the pipeline of `ognivo train` twice in one session of two cores: python fit_spark.py INPUT DDL

Prints {"cold_seconds", "warm_seconds", "coefficients", "intercept"}. Both times include reading the file, and neither the
start of the session.
"""

import json
import sys
import time

import spark_session
from spark_session import loan_pipeline, read


def fit(spark, source, ddl):
    begin = time.monotonic()
    model = loan_pipeline().fit(read(spark, source, ddl))
    return model, time.monotonic() - begin


def main():
    source, ddl = sys.argv[1:]
    spark = spark_session.start("local[2]")
    _, cold = fit(spark, source, ddl)
    model, warm = fit(spark, source, ddl)
    regression = model.stages[-1]
    told = {
        "cold_seconds": cold,
        "warm_seconds": warm,
        "coefficients": list(regression.coefficients),
        "intercept": regression.intercept,
    }
    print(json.dumps(told))
    spark.stop()


if __name__ == "__main__":
    main()
