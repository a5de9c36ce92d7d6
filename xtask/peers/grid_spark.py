"""PySpark's CrossValidator over 8 regParams and 3 folds, in a session of two cores: grid_spark.py CSV N_ROWS N_FEATURES

CSV is what `grid_sklearn.py make` writes. Prints one line of JSON: the average metric of each setting, and the seconds of the second
fit, on rows that are in memory.
"""

import json
import sys
import time

import spark_session
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.evaluation import BinaryClassificationEvaluator
from pyspark.ml.feature import VectorAssembler
from pyspark.ml.tuning import CrossValidator, ParamGridBuilder

REG_PARAMS = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0]


def main():
    path, n_rows, n_features = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    spark = spark_session.start("local[2]")
    columns = [f"x{k}" for k in range(n_features)]
    ddl = ", ".join(["id INT", *(f"{name} DOUBLE" for name in columns), "label DOUBLE"])
    rows = VectorAssembler(inputCols=columns, outputCol="features").transform(spark.read.schema(ddl).csv(path))
    data = rows.select("features", "label").cache()
    assert data.count() == n_rows and data.rdd.getNumPartitions() == 2
    regression = LogisticRegression(maxIter=100, tol=1e-6)
    grid = ParamGridBuilder().addGrid(regression.regParam, REG_PARAMS).build()
    evaluator = BinaryClassificationEvaluator(numBins=0)
    tuner = CrossValidator(estimator=regression, estimatorParamMaps=grid, evaluator=evaluator, numFolds=3, seed=42, parallelism=2)

    def fit():
        begin = time.monotonic()
        model = tuner.fit(data)
        return [float(metric) for metric in model.avgMetrics], time.monotonic() - begin

    fit()
    metrics, seconds = fit()
    print(json.dumps({"metrics": metrics, "seconds": seconds}))
    spark.stop()


if __name__ == "__main__":
    main()
