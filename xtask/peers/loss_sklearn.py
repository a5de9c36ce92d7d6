"""scikit-learn's pass over rows in memory for logistic loss and gradient, one thread; also makes the rows.

    loss_sklearn.py make FILE N_ROWS N_FEATURES
    loss_sklearn.py FILE N_ROWS N_FEATURES PASSES

The file holds little-endian doubles: the features row by row, then the labels, then the point at which loss and gradient are
taken (coefficients and intercept). `make` draws them from a fixed seed. The other form prints one line of JSON: loss, gradient,
and the CPU time of a pass, which is the mean of PASSES after one that is not measured. Run it with OMP_NUM_THREADS and
OPENBLAS_NUM_THREADS at 1, and without OPENBLAS_CORETYPE, so that numpy takes its best kernel.
"""

import json
import sys
import time

import numpy as np


def make(path, n_rows, n_features):
    random = np.random.default_rng(20260101)
    scale = np.linspace(0.5, 30.0, n_features)
    mean = np.linspace(-3.0, 8.0, n_features)
    coefficients = random.normal(size=n_features) / scale
    features = random.normal(size=(n_rows, n_features)) * scale + mean
    chance = 1.0 / (1.0 + np.exp(-((features - mean) @ coefficients)))
    labels = (random.random(n_rows) < chance).astype("<f8")
    point = np.append(0.5 * coefficients, 0.1)
    with open(path, "wb") as file:
        for numbers in (features, labels, point):
            file.write(np.ascontiguousarray(numbers, dtype="<f8").tobytes())


def read(path, n_rows, n_features):
    numbers = np.fromfile(path, dtype="<f8")
    n_values = n_rows * n_features
    assert len(numbers) == n_values + n_rows + n_features + 1, "features, labels, point"
    features = np.ascontiguousarray(numbers[:n_values].reshape(n_rows, n_features), dtype=np.float64)
    labels = np.array(numbers[n_values : n_values + n_rows])
    return features, labels, np.array(numbers[n_values + n_rows :])


def measure(path, n_rows, n_features, n_passes):
    from sklearn._loss import HalfBinomialLoss
    from sklearn.linear_model._linear_loss import LinearModelLoss

    features, labels, point = read(path, n_rows, n_features)
    function = LinearModelLoss(HalfBinomialLoss(), fit_intercept=True)

    def one_pass():
        return function.loss_gradient(point, features, labels, sample_weight=None, l2_reg_strength=0.0, n_threads=1)

    loss, gradient = one_pass()
    begin = time.process_time()
    for _ in range(n_passes):
        one_pass()
    cpu_seconds = (time.process_time() - begin) / n_passes
    print(json.dumps({"loss": float(loss), "gradient": gradient.tolist(), "cpu_seconds": cpu_seconds}))


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        measure(sys.argv[1], *(int(word) for word in sys.argv[2:5]))
