"""scikit-learn's GridSearchCV over 8 settings of the penalty, on given folds; also makes the rows.

    grid_sklearn.py make DOUBLES N_ROWS N_FEATURES CSV
    grid_sklearn.py DOUBLES N_ROWS N_FEATURES FOLDS

DOUBLES is what `loss_sklearn.py make` writes. The first form writes its rows as CSV: a number, the features, the label; every double
in digits that read back as the same. FOLDS has a byte for every row, its fold. Prints one line of JSON: the mean area under the ROC
curve of each setting, and the seconds of the second fit with two processes.
"""

import json
import sys
import time

import numpy as np

from loss_sklearn import read

#: regParam of ognivo and Spark, whose mean loss is a sum here: C is 1 / (rows · regParam), with rows of two folds out of three.
REG_PARAMS = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0]


def make(path, n_rows, n_features, csv):
    features, labels, _ = read(path, n_rows, n_features)
    with open(csv, "w") as file:
        for i, (row, label) in enumerate(zip(features.tolist(), labels.tolist())):
            file.write(f"{i},{','.join(map(repr, row))},{label!r}\n")


def measure(path, n_rows, n_features, folds):
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, PredefinedSplit
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features, labels, _ = read(path, n_rows, n_features)
    split = PredefinedSplit(np.fromfile(folds, dtype="u1").astype(int))
    settings = {"logisticregression__C": [1.0 / (n_rows * 2 / 3 * reg_param) for reg_param in REG_PARAMS]}
    # Spark standardises inside of its fit, so this one has to do it too.
    estimator = make_pipeline(StandardScaler(), LogisticRegression(max_iter=100, tol=1e-6))

    def fit():
        search = GridSearchCV(estimator, settings, scoring="roc_auc", cv=split, n_jobs=2)
        begin = time.monotonic()
        search.fit(features, labels)
        return search.cv_results_["mean_test_score"].tolist(), time.monotonic() - begin

    fit()
    metrics, seconds = fit()
    print(json.dumps({"metrics": metrics, "seconds": seconds}))


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
    else:
        measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
