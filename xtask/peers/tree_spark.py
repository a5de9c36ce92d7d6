"""PySpark growing one tree on cached rows, twice in one session of one core: tree_spark.py FILE N_ROWS N_FEATURES DEPTH BINS SEED

The file is that of loss_sklearn.py. Prints {"warm_seconds", "warm_cpu_seconds", "nodes"}: the second fit, without reading the rows, its CPU time in Python
and the JVM, and the tree's nodes: feature, threshold, impurity, gain, rows, and the statistics.
"""

import json
import sys
import tempfile
import time

import numpy as np

import spark_session
from pyspark.ml.classification import DecisionTreeClassifier
from pyspark.ml.functions import array_to_vector
from pyspark.sql.functions import array, col


def frame(spark, path, n_rows, n_features, folder):
    """One partition of vectors and labels, in the order of the file; by way of a text file, which the JVM reads by itself."""
    columns = [f"x{k}" for k in range(n_features)] + ["label"]
    numbers = np.fromfile(path, dtype="<f8")
    features = numbers[: n_rows * n_features].reshape(n_rows, n_features)
    labels = numbers[n_rows * n_features : n_rows * (n_features + 1)]
    text = f"{folder}/rows.csv"
    with open(text, "w") as file:
        for start in range(0, n_rows, 10_000):
            part = np.hstack([features[start : start + 10_000], labels[start : start + 10_000, None]])
            file.writelines(",".join(map(repr, row)) + "\n" for row in part.tolist())
    schema = ", ".join(f"{name} DOUBLE" for name in columns)
    rows = spark.read.schema(schema).csv(text)
    return rows.select(array_to_vector(array(*columns[:-1])).alias("features"), col("label")).coalesce(1).cache()


def main():
    path = sys.argv[1]
    n_rows, n_features, depth, bins, seed = (int(word) for word in sys.argv[2:7])
    spark = spark_session.start("local[1]")
    with tempfile.TemporaryDirectory() as folder:
        rows = frame(spark, path, n_rows, n_features, folder)
        assert rows.count() == n_rows
        estimator = DecisionTreeClassifier(maxDepth=depth, maxBins=bins, seed=seed)
        estimator.fit(rows)
        begin, begin_cpu = time.monotonic(), spark_session.cpu_seconds(spark)
        model = estimator.fit(rows)
        warm, warm_cpu = time.monotonic() - begin, spark_session.cpu_seconds(spark) - begin_cpu
        model.save(f"{folder}/model")
        table = spark.read.parquet(f"{folder}/model/data").orderBy("id").collect()
        nodes = [
            [row.split.featureIndex, *row.split.leftCategoriesOrThreshold, row.impurity, row.gain, row.rawCount, *row.impurityStats]
            for row in table
        ]
    print(json.dumps({"warm_seconds": warm, "warm_cpu_seconds": warm_cpu, "nodes": nodes}))
    spark.stop()


if __name__ == "__main__":
    main()
