"""scikit-learn's linear regression of rows in memory; also makes the rows.

    linear_sklearn.py make FILE N_ROWS N_FEATURES
    linear_sklearn.py FILE N_ROWS N_FEATURES FITS

The file holds little-endian doubles, row by row: the features, then the label. `make` draws them from a fixed seed. The other
form prints one line of JSON: coefficients, intercept, and the wall and CPU time of a fit, which are the means of FITS after one
that is not measured. Run it with OPENBLAS_NUM_THREADS at the number of threads, and without OPENBLAS_CORETYPE.
"""

import json
import sys
import time

import numpy as np


def make(path, n_rows, n_features):
    random = np.random.default_rng(20260102)
    scale = np.linspace(0.5, 30.0, n_features)
    mean = np.linspace(-3.0, 8.0, n_features)
    coefficients = random.normal(size=n_features)
    features = random.normal(size=(n_rows, n_features)) * scale + mean
    # Neighbours go together a little, as columns of real tables do.
    features[:, 1:] += 0.3 * features[:, :-1]
    labels = features @ coefficients + 10.0 * random.normal(size=n_rows) + 25.0
    np.column_stack([features, labels]).astype("<f8").tofile(path)


def measure(path, n_rows, n_features, n_fits):
    from sklearn.linear_model import LinearRegression

    rows = np.fromfile(path, dtype="<f8").reshape(n_rows, n_features + 1)
    features, labels = np.ascontiguousarray(rows[:, :-1]), np.array(rows[:, -1])
    del rows
    model = LinearRegression().fit(features, labels)
    wall, cpu = time.monotonic(), time.process_time()
    for _ in range(n_fits):
        model = LinearRegression().fit(features, labels)
    wall, cpu = time.monotonic() - wall, time.process_time() - cpu
    told = {"coefficients": model.coef_.tolist(), "intercept": float(model.intercept_)}
    print(json.dumps({**told, "wall_seconds": wall / n_fits, "cpu_seconds": cpu / n_fits}))


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        measure(sys.argv[1], *(int(word) for word in sys.argv[2:5]))
