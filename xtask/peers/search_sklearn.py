"""Every set of nine columns by scikit-learn: one logistic regression a set, 2 processes, judged on the rows that Spark would keep apart.

    python search_sklearn.py CSV MAX_ITER REG_PARAM TRAIN_RATIO SEED -> {"seconds": …, "sets": [{"columns": […], "metric": areaUnderROC}, …]}

Reading, indexing and standardising are done once and not timed.
"""

import os

# One thread a process: two processes share two cores.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import json
import multiprocessing
import struct
import sys
import time
from itertools import combinations

import numpy as np
import polars as pl
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

COLUMNS = [
    "credit_policy", "int_rate", "installment", "log_annual_inc", "dti", "fico", "revol_util", "inq_last_6mths", "purpose_index",
]
LABEL = "not_fully_paid"
WORD = 0xFFFFFFFF


def murmur3(data, seed):
    """MurmurHash3 of eight bytes."""
    h = seed
    for (k,) in struct.iter_unpack("<I", data):
        k = k * 0xCC9E2D51 & WORD
        k = (k << 15 | k >> 17) & WORD
        h ^= k * 0x1B873593 & WORD
        h = (h << 13 | h >> 19) & WORD
        h = h * 5 + 0xE6546B64 & WORD
    h ^= len(data)
    h = (h ^ h >> 16) * 0x85EBCA6B & WORD
    h = (h ^ h >> 13) * 0xC2B2AE35 & WORD
    return h ^ h >> 16


def spark_rand(seed, n):
    """What `rand(seed)` gives in the only partition of a table."""
    data = struct.pack(">q", seed)
    low = murmur3(data, 0x3C074A61)
    state = murmur3(data, low) << 32 | low

    def bits(count):
        nonlocal state
        state ^= state << 21 & 0xFFFFFFFFFFFFFFFF
        state ^= state >> 35
        state ^= state << 4 & 0xFFFFFFFFFFFFFFFF
        return state & (1 << count) - 1

    return np.array([((bits(26) << 27) + bits(27)) * 2.0**-53 for _ in range(n)])


def prepared(path, train_ratio, seed):
    """Standardised features and labels, of the rows to learn from and of those to judge on."""
    rows = pl.read_csv(path)
    drawn = spark_rand(seed, len(rows))
    is_train = drawn < train_ratio
    counts = rows.filter(pl.Series(is_train)).group_by("purpose").len().sort(["len", "purpose"], descending=[True, False])
    index = {purpose: position for position, purpose in enumerate(counts["purpose"])}
    rows = rows.with_columns(purpose_index=rows["purpose"].replace_strict(index, return_dtype=pl.Float64))
    x, y = rows.select(COLUMNS).to_numpy().astype(np.float64), rows[LABEL].to_numpy().astype(np.float64)
    mean, std = x[is_train].mean(axis=0), x[is_train].std(axis=0, ddof=1)
    x = (x - mean) / std
    return x[is_train], y[is_train], x[~is_train], y[~is_train]


def judge(positions):
    x, y, x_test, y_test = DATA
    positions = list(positions)
    model = LogisticRegression(max_iter=MAX_ITER, C=1 / (REG_PARAM * len(y)), tol=1e-6).fit(x[:, positions], y)
    return roc_auc_score(y_test, model.decision_function(x_test[:, positions]))


if __name__ == "__main__":
    import warnings

    path, MAX_ITER, REG_PARAM, train_ratio, seed = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5])
    DATA = prepared(path, train_ratio, seed)
    warnings.filterwarnings("ignore")  # ten iterations are not convergence, and that is what is measured
    sets = [chosen for size in range(1, len(COLUMNS) + 1) for chosen in combinations(range(len(COLUMNS)), size)]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        pool.map(judge, sets[:2])  # both processes are up before the clock runs
        start = time.perf_counter()
        metrics = pool.map(judge, sets, chunksize=4)
        seconds = time.perf_counter() - start
    told = [{"columns": [COLUMNS[at] for at in chosen], "metric": metric} for chosen, metric in zip(sets, metrics)]
    print(json.dumps({"seconds": seconds, "sets": told}))
