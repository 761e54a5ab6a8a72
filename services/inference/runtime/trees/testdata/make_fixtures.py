"""Trains the models beside this file and writes what their own libraries answer, to the last bit.

    pip install numpy==2.2.6 scipy==1.15.3 pandas lightgbm==4.6.0 && pip install --no-deps xgboost-cpu==3.2.0
    python make_fixtures.py

<name>.txt or <name>.json is the model; <name>.tsv has one line a row: the inputs, a bar, the raw scores, a bar, the
outputs. Numbers are in Python's repr, which reads back exactly.
"""

import json
import math
import pathlib
import re

import lightgbm as lgb
import numpy as np
import pandas as pd
import xgboost as xgb

HERE = pathlib.Path(__file__).parent
CARRIERS, AIRPORTS = 12, 80
NAMES = ["dep_delay", "distance", "hour", "seats", "carrier", "dest"]


def flights(n, seed):
    """Numeric, integer and categorical columns with gaps, and a delay that depends on all of them."""
    r = np.random.default_rng(seed)
    delay = np.round(r.exponential(20, n) - 10, 1)
    distance = r.integers(80, 2600, n).astype(float)
    hour = r.integers(0, 24, n).astype(float)
    seats = r.choice([0.0, 50.0, 76.0, 149.0, 180.0, 300.0], n)
    carrier = r.integers(0, CARRIERS, n).astype(float)
    dest = np.minimum(r.geometric(0.04, n) - 1, AIRPORTS - 1).astype(float)
    arrival = delay * 0.9 + np.sin(hour / 4) * 12 + (carrier * 7 % 5 - 2) * 6 + (dest * 13 % 11 - 5) * 3
    arrival += r.normal(0, 8, n) - distance / 300
    for column, share in ((delay, 0.1), (distance, 0.05), (seats, 0.2), (carrier, 0.05), (dest, 0.1)):
        column[r.random(n) < share] = np.nan
    return np.column_stack([delay, distance, hour, seats, carrier, dest]), arrival


def edges(rows, thresholds):
    """Rows that sit on, just below and just above thresholds, and values that no training row had."""
    odd = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-36, -1e-36, 1e-35, -1e-35, 2e-35, -2e-35, 5e-324, 1e300]
    cats = [-1.0, -0.5, 0.5, 3.7, 31.0, 32.0, 79.0, 80.0, 95.0, 96.0, 1e6, 2147483647.0, 2147483648.0, -3e9]
    out = []
    for k, (feature, t) in enumerate(thresholds):
        row = rows[k % len(rows)].copy()
        row[feature] = (t, np.nextafter(t, -np.inf), np.nextafter(t, np.inf))[k % 3]
        out.append(row)
    for feature in range(rows.shape[1]):
        for k, v in enumerate(odd + (cats if feature >= 4 else [])):
            row = rows[k].copy()
            row[feature] = v
            out.append(row)
    return np.array(out)


def write_rows(name, rows, raw, out):
    raw, out = np.asarray(raw).reshape(len(rows), -1), np.asarray(out).reshape(len(rows), -1)
    text = lambda values: "\t".join(repr(float(v)) for v in values)
    lines = [f"{text(r)}\t|\t{text(a)}\t|\t{text(b)}\n" for r, a, b in zip(rows, raw, out)]
    (HERE / f"{name}.tsv").write_text("".join(lines))


def lgb_thresholds(text, limit=90):
    found = []
    for tree in text.split("\nTree=")[1:]:
        field = lambda key: (re.search(rf"^{key}=(.*)$", tree, re.M) or [None, ""])[1].split()
        for f, t, d in zip(field("split_feature"), field("threshold"), field("decision_type")):
            if not int(d) & 1:
                found.append((int(f), float(t)))
    step = max(1, len(found) // limit)
    return found[::step][:limit]


def lightgbm(name, params, label, trees, categorical=(4, 5), change=lambda x: x, frame=False):
    x, arrival = flights(3000, 1)
    x = change(x)
    y = label(arrival)
    data = x
    if frame:
        data = as_frame(x)
    base = dict(verbose=-1, num_threads=1, deterministic=True, force_row_wise=True, seed=7, min_data_in_leaf=15)
    train = lgb.Dataset(data, y, feature_name=NAMES, categorical_feature=list(categorical) if not frame else "auto")
    booster = lgb.train({**base, **params}, train, num_boost_round=trees)
    text = booster.model_to_string()
    (HERE / f"{name}.txt").write_text(text)
    rows, _ = flights(150, 2)
    rows = change(rows)
    rows = np.vstack([rows, edges(rows, lgb_thresholds(text))])
    data = as_frame(rows) if frame else rows
    fresh = lgb.Booster(model_file=str(HERE / f"{name}.txt"))
    write_rows(name, rows if not frame else codes(rows), fresh.predict(data, raw_score=True), fresh.predict(data))


def as_frame(x):
    frame = pd.DataFrame(x, columns=NAMES)
    frame["carrier"] = as_category(x[:, 4], [f"C{i}" for i in range(CARRIERS)])
    frame["dest"] = as_category(x[:, 5], [f"D{i}" for i in range(AIRPORTS)])
    return frame


def as_category(column, names):
    known = [names[int(v)] if np.isfinite(v) and v == int(v) and 0 <= v < len(names) else None for v in column]
    return pd.Categorical(known, categories=names)


def codes(x):
    """What a server sees after it mapped a column of names to codes: anything unknown is NaN."""
    x = x.copy()
    for column, n in ((4, CARRIERS), (5, AIRPORTS)):
        v = x[:, column]
        ok = np.isfinite(v) & (v == np.trunc(v)) & (v >= 0) & (v < n)
        x[:, column] = np.where(ok, v, np.nan)
    return x


def xgb_thresholds(text, limit=90):
    found = []
    for tree in json.loads(text)["learner"]["gradient_booster"]["model"]["trees"]:
        for left, f, t in zip(tree["left_children"], tree["split_indices"], tree["split_conditions"]):
            if left >= 0:
                found.append((f, float(np.float32(t))))
    step = max(1, len(found) // limit)
    return found[::step][:limit]


def xgboost(name, params, label, trees):
    x, arrival = flights(3000, 1)
    x = x.astype(np.float32)
    base = dict(nthread=1, tree_method="hist", seed=7, max_depth=5)
    booster = xgb.train({**base, **params}, xgb.DMatrix(x, label(arrival), feature_names=NAMES), num_boost_round=trees)
    path = HERE / f"{name}.json"
    booster.save_model(path)
    rows, _ = flights(150, 2)
    rows = np.vstack([rows, edges(rows, xgb_thresholds(path.read_text()))])
    rows = rows[~np.isinf(rows).any(axis=1) & (np.abs(np.nan_to_num(rows)) < 3e38).all(axis=1)]
    data = xgb.DMatrix(rows.astype(np.float32), feature_names=NAMES)
    write_rows(name, rows, booster.predict(data, output_margin=True), booster.predict(data))


def exponents():
    """What exp of the C library of this machine (glibc 2.28 or later, with fused multiply-add) answers."""
    r = np.random.default_rng(3)
    xs = np.concatenate([r.normal(0, 3, 700), r.uniform(-700, 700, 200), r.normal(0, 1e-3, 100), [1e-9, -1e-17, 700.5]])
    (HERE / "exp.tsv").write_text("".join(f"{float(x)!r}\t{math.exp(x)!r}\n" for x in xs))


late = lambda arrival: (arrival >= 15).astype(int)
third = lambda arrival: np.digitize(arrival, [0, 20])
amount = lambda arrival: np.maximum(arrival, 0)
leafwise = dict(num_leaves=31, learning_rate=0.1)

if __name__ == "__main__":
    exponents()
    lightgbm("lgb-binary", dict(objective="binary", **leafwise), late, 40)
    lightgbm("lgb-frame", dict(objective="binary", **leafwise), late, 15, frame=True)
    lightgbm("lgb-numeric", dict(objective="binary", num_leaves=15, sigmoid=0.7, boost_from_average=False), late, 22, ())
    lightgbm("lgb-zero", dict(objective="binary", zero_as_missing=True, num_leaves=15), late, 12)
    lightgbm("lgb-nomissing", dict(objective="binary", use_missing=False, num_leaves=15), late, 12)
    lightgbm("lgb-nogaps", dict(objective="regression", num_leaves=15), lambda a: a, 12, change=np.nan_to_num)
    lightgbm("lgb-regression", dict(objective="regression_l1", num_leaves=15), lambda a: a, 12)
    lightgbm("lgb-poisson", dict(objective="poisson", num_leaves=7), amount, 10)
    lightgbm("lgb-multiclass", dict(objective="multiclass", num_class=3, num_leaves=7), third, 9)
    lightgbm("lgb-ova", dict(objective="multiclassova", num_class=3, num_leaves=7), third, 5)
    lightgbm("lgb-forest", dict(objective="binary", boosting="rf", bagging_freq=1, bagging_fraction=0.6, num_leaves=15), late, 9)
    lightgbm("lgb-stump", dict(objective="binary", min_data_in_leaf=2900), late, 3)
    lightgbm("lgb-linear", dict(objective="regression", linear_tree=True, num_leaves=4), lambda a: a, 2, ())
    xgboost("xgb-binary", dict(objective="binary:logistic"), late, 30)
    xgboost("xgb-regression", dict(objective="reg:squarederror"), lambda a: a, 10)
    xgboost("xgb-multi", dict(objective="multi:softprob", num_class=3, max_depth=3), third, 6)
    xgboost("xgb-pruned", dict(objective="reg:squarederror", tree_method="exact", max_depth=7, gamma=9000), lambda a: a, 3)
