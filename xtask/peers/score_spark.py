"""PySpark doing what `ognivo score MODEL INPUT --schema DDL -o OUTPUT` does, or training the model for it.

python score_spark.py score MODEL INPUT DDL OUTPUT
python score_spark.py train MODEL INPUT DDL
python score_spark.py compare OUTPUT OUTPUT      rows of two scored files, equal to 1e-12
"""

import os
import sys

os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
os.environ["PYSPARK_PYTHON"] = sys.executable

from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.feature import StringIndexer, VectorAssembler
from pyspark.sql import Column, SparkSession
from pyspark.sql.functions import abs as abs_
from pyspark.sql.functions import col, count, greatest, when, xxhash64
from pyspark.sql.functions import max as max_
from pyspark.sql.functions import min as min_
from pyspark.sql.functions import sum as sum_

FEATURES = ["credit_policy", "int_rate", "installment", "log_annual_inc", "dti", "purpose_index"]


def start():
    settings = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.shuffle.partitions": "2",
    }
    builder = SparkSession.builder.master("local[*]").appName("score")
    for key, value in settings.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def train(spark, model, source, ddl):
    stages = [
        StringIndexer(inputCol="purpose", outputCol="purpose_index", handleInvalid="keep"),
        VectorAssembler(inputCols=FEATURES, outputCol="features"),
        LogisticRegression(labelCol="not_fully_paid", maxIter=10, regParam=0.01),
    ]
    rows = spark.read.schema(ddl).option("header", True).csv(source)
    Pipeline(stages=stages).fit(rows).write().overwrite().save(model)


def score(spark, model, source, ddl, target):
    rows = spark.read.schema(ddl).option("header", True).csv(source)
    PipelineModel.load(model).transform(rows).write.mode("overwrite").parquet(target)


def numbers_of(spark, name):
    """A vector column as an array. (pyspark.ml.functions has it too, but wants pandas.)"""
    functions = spark.sparkContext._jvm.org.apache.spark.ml.functions
    return Column(functions.vector_to_array(col(name)._jc, "float64"))


def compare(spark, left, right):
    """Each file has an order of rows of its own, so rows meet by the hash of all columns that must be equal exactly;
    rows with the same hash have the same scores."""
    frames = [spark.read.parquet(path) for path in (left, right)]
    names = [sorted(frame.columns) for frame in frames]
    assert names[0] == names[1], f"columns differ: {names}"
    exact = [c for c in names[0] if c not in ("rawPrediction", "probability")]
    numbers = [numbers_of(spark, c)[i] for c in ("rawPrediction", "probability") for i in (0, 1)]
    tables = []
    for side, frame in zip("lr", frames):
        table = frame.select(xxhash64(*exact).alias("hash"), *[x.alias(f"x{i}") for i, x in enumerate(numbers)])
        spread = [f(f"x{i}").alias(f"{side}{f.__name__}{i}") for i in range(4) for f in (min_, max_)]
        tables.append(table.groupBy("hash").agg(count("*").alias(f"{side}rows"), *spread))
    both = tables[0].join(tables[1], "hash", "full_outer")
    difference = greatest(*[abs_(col(f"l{f}{i}") - col(f"r{f}{i}")) for i in range(4) for f in ("min", "max")])
    rows, alike, worst = both.select(
        sum_("lrows"), sum_(when(col("lrows") == col("rrows"), col("lrows"))), max_(difference)
    ).head()
    assert rows == alike == frames[1].count(), f"rows differ: {rows} on the left, {alike} of them on the right"
    assert worst <= 1e-12, f"scores differ by {worst}"
    print(f"{rows} rows equal, scores within {worst}")


def main():
    verbs = {"train": train, "score": score, "compare": compare}
    spark = start()
    verbs[sys.argv[1]](spark, *sys.argv[2:])
    spark.stop()


if __name__ == "__main__":
    main()
