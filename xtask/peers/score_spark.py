"""PySpark doing what `ognivo score MODEL INPUT --schema DDL -o OUTPUT` does, or training the model for it.

python score_spark.py score MODEL INPUT DDL OUTPUT
python score_spark.py warm MODEL INPUT DDL OUTPUT    on one core, twice; prints {"cpu_seconds"} of the second time
python score_spark.py train MODEL INPUT DDL
python score_spark.py compare OUTPUT OUTPUT          rows of two scored files, equal to 1e-12
"""

import json
import sys

from pyspark.ml import PipelineModel
from pyspark.sql import Column
from pyspark.sql.functions import abs as abs_
from pyspark.sql.functions import col, count, greatest, when, xxhash64
from pyspark.sql.functions import max as max_
from pyspark.sql.functions import min as min_
from pyspark.sql.functions import sum as sum_

import spark_session
from spark_session import loan_pipeline, read


def train(spark, model, source, ddl):
    loan_pipeline().fit(read(spark, source, ddl)).write().overwrite().save(model)


def score(spark, model, source, ddl, target):
    PipelineModel.load(model).transform(read(spark, source, ddl)).write.mode("overwrite").parquet(target)


def warm(spark, model, source, ddl, target):
    score(spark, model, source, ddl, target)
    begin = spark_session.cpu_seconds(spark)
    score(spark, model, source, ddl, target)
    print(json.dumps({"cpu_seconds": spark_session.cpu_seconds(spark) - begin}))


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
    verbs = {"train": train, "score": score, "warm": warm, "compare": compare}
    spark = spark_session.start("local[1]" if sys.argv[1] == "warm" else "local[*]")
    verbs[sys.argv[1]](spark, *sys.argv[2:])
    spark.stop()


if __name__ == "__main__":
    main()
