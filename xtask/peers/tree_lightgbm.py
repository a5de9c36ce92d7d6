"""LightGBM growing one tree on rows in memory, binning included, one thread: tree_lightgbm.py FILE N_ROWS N_FEATURES DEPTH BINS

The file is that of loss_sklearn.py. Prints {"cpu_seconds", "accuracy"}: the CPU time of making the binned data set from a matrix and
growing one tree on it, after a run that is not measured. Run it with OMP_NUM_THREADS at 1.
"""

import json
import sys
import time

import lightgbm
import numpy as np

from loss_sklearn import read


def grow(features, labels, depth, bins):
    params = {
        "objective": "binary",
        "num_threads": 1,
        "max_depth": depth,
        "num_leaves": 2**depth,
        "max_bin": bins,
        "min_data_in_leaf": 1,
        "min_sum_hessian_in_leaf": 0.0,
        "learning_rate": 1.0,
        "verbosity": -1,
    }
    begin = time.process_time()
    data = lightgbm.Dataset(features, labels, params=params)
    model = lightgbm.train(params, data, num_boost_round=1)
    return model, time.process_time() - begin


def main():
    path, n_rows, n_features, depth, bins = sys.argv[1], *(int(word) for word in sys.argv[2:6])
    features, labels, _ = read(path, n_rows, n_features)
    grow(features[:10_000], labels[:10_000], depth, bins)
    model, cpu_seconds = grow(features, labels, depth, bins)
    predicted = model.predict(features[:100_000], num_threads=1) > 0.5
    print(json.dumps({"cpu_seconds": cpu_seconds, "accuracy": float(np.mean(predicted == labels[:100_000]))}))


if __name__ == "__main__":
    main()
