"""The Spark session of the benchmarks, and what its process has used."""

import os
import sys

os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
os.environ["PYSPARK_PYTHON"] = sys.executable

from pyspark.ml import Pipeline
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.feature import StringIndexer, VectorAssembler
from pyspark.sql import SparkSession

FEATURES = ["credit_policy", "int_rate", "installment", "log_annual_inc", "dti", "purpose_index"]
LABEL = "not_fully_paid"


def start(master, more=None):
    settings = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.shuffle.partitions": "2",
        **(more or {}),
    }
    builder = SparkSession.builder.master(master).appName("bench")
    for key, value in settings.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def loan_pipeline():
    return Pipeline(
        stages=[
            StringIndexer(inputCol="purpose", outputCol="purpose_index", handleInvalid="keep"),
            VectorAssembler(inputCols=FEATURES, outputCol="features"),
            LogisticRegression(labelCol=LABEL, maxIter=10, regParam=0.01, tol=0.0),
        ]
    )


def read(spark, source, ddl):
    return spark.read.schema(ddl).option("header", True).csv(source)


def cpu_seconds(spark):
    """CPU time so far of this process and of the JVM."""
    jvm = spark._jvm.java.lang.ProcessHandle.current().pid()
    ticks = 0
    for pid in (os.getpid(), jvm):
        with open(f"/proc/{pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
