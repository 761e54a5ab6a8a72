"""Models of every framework become packages that predict the same in a process of their own, and are the same twice."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import lightgbm as lgb
import models
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import support
import xgboost
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC
from test_formats import MODELS, data

from signalbox import Workflow, formats, packaging
from signalbox.formats import fresh, pickled
from signalbox.signature import Field

TEXTS = ["carrier", "origin"]
NUMBERS = ["distance", "departure_delay", "wind_speed", "weekend"]


def columns() -> ColumnTransformer:
    """The usual preprocessing: missing numbers are filled, texts become columns, unknown ones nothing."""
    return ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS),
            ("texts", OneHotEncoder(handle_unknown="ignore"), TEXTS),
        ]
    )


def pipeline(model: Any) -> Pipeline:
    return Pipeline([("columns", columns()), ("model", model)])


def build(model: Any, frame: pd.DataFrame, fields: tuple[Field, ...], flow: Workflow | None = None) -> packaging.Built:
    flow = flow or Workflow()
    flow.classifier_features = [f.name for f in fields]
    return packaging.build(flow, model, fields, frame.iloc[:400], {"models.py": MODELS}, "lock")


def names(built: packaging.Built) -> list[str]:
    return [f.name for f in built.signature.outputs]


FITTED: dict[str, tuple[Callable[[], Any], str, list[str]]] = {
    "logistic regression": (lambda: pipeline(LogisticRegression()), "late", ["probability"]),
    "forest of several classes": (
        lambda: pipeline(RandomForestClassifier(10, random_state=1)),
        "zone",
        ["probability_0", "probability_1", "probability_2"],
    ),
    "boosting that knows categories": (
        lambda: HistGradientBoostingClassifier(categorical_features="from_dtype", max_iter=5, random_state=1),
        "late",
        ["probability"],
    ),
    "linear regression": (lambda: pipeline(LinearRegression()), "delay", ["prediction"]),
    "two outputs": (lambda: pipeline(LinearRegression()), "both", ["prediction_0", "prediction_1"]),
    "two classifiers": (
        lambda: MultiOutputClassifier(pipeline(LogisticRegression())),
        "labels",
        ["probability_0_1", "probability_1_0", "probability_1_1", "probability_1_2"],
    ),
    "margins": (lambda: pipeline(LinearSVC(random_state=1)), "zone", ["score_0", "score_1", "score_2"]),
    "clusters": (lambda: pipeline(KMeans(3, n_init=1, random_state=1)), "late", ["prediction"]),
    "lightgbm at the end": (
        lambda: pipeline(lgb.LGBMClassifier(n_estimators=5, num_leaves=5, verbosity=-1)),
        "late",
        ["probability"],
    ),
    "xgboost at the end": (
        lambda: pipeline(xgboost.XGBClassifier(n_estimators=5, max_depth=3)),
        "zone",
        ["probability_0", "probability_1", "probability_2"],
    ),
}


def target(frame: pd.DataFrame, kind: str) -> Any:
    zone = frame["distance"].astype(int) // 900
    return {
        "late": frame["late"],
        "zone": zone,
        "delay": frame["departure_delay"],
        "positive": frame["distance"] + 1,
        "both": frame[["departure_delay", "distance"]],
        "labels": pd.DataFrame({"late": frame["late"], "zone": zone}),
    }[kind]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", FITTED)
def test_scikit_learn(case: str) -> None:
    make, kind, wanted = FITTED[case]
    frame, fields = data()
    model, again = (make().fit(frame[support.FEATURES], target(frame, kind)) for _ in range(2))
    flow = Workflow()
    built = build(model, frame, fields, flow)
    assert names(built) == wanted and built.signature.runtime == "python"
    assert built.package.files["model.pkl"].data == pickled.dump(flow, again), "the same training gave two packages"
    lines = [json.loads(line) for line in built.package.files["golden.jsonl"].data.splitlines()]
    assert any(line["input"]["carrier"] == "__unknown__" for line in lines)


def test_wrappers_of_trees_stay_native() -> None:
    frame, fields = data()
    light = lgb.LGBMClassifier(n_estimators=5, verbosity=-1).fit(frame[support.FEATURES], frame["late"])
    assert build(light, frame, fields).signature.format == "lightgbm-text"
    numeric = tuple(f for f in fields if f.name in NUMBERS)
    ordered = [f.name for f in numeric]
    for model in (
        xgboost.XGBClassifier(n_estimators=5).fit(frame[ordered], frame["late"]),
        xgboost.XGBRegressor(n_estimators=5).fit(frame[ordered], frame["departure_delay"]),
        xgboost.train(
            {"objective": "binary:logistic"}, xgboost.DMatrix(frame[ordered], label=frame["late"]), num_boost_round=5
        ),
    ):
        built = build(model, frame, numeric)
        assert built.signature.format == "xgboost-json"
        assert names(built) == ["prediction" if isinstance(model, xgboost.XGBRegressor) else "probability"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("make", "kind", "features"),
    [
        (lambda: xgboost.XGBClassifier(n_estimators=5, enable_categorical=True), "late", support.FEATURES),
        (lambda: xgboost.XGBRegressor(n_estimators=3), "both", NUMBERS),
        (lambda: xgboost.XGBRegressor(n_estimators=3, booster="dart"), "delay", NUMBERS),
        (lambda: xgboost.XGBRegressor(n_estimators=3, objective="reg:gamma"), "positive", NUMBERS),
        (lambda: lgb.LGBMRegressor(n_estimators=3, linear_tree=True, verbosity=-1), "delay", NUMBERS),
        (lambda: lgb.LGBMRegressor(n_estimators=3, reg_sqrt=True, verbosity=-1), "positive", NUMBERS),
        (lambda: lgb.LGBMRegressor(n_estimators=3, objective="cross_entropy_lambda", verbosity=-1), "late", NUMBERS),
    ],
    ids=["categories", "targets", "dart", "objective", "linear", "sqrt", "lambda"],
)
def test_trees_that_the_engine_does_not_know_leave_as_python(make: Any, kind: str, features: list[str]) -> None:
    frame, fields = data()
    fields = tuple(f for f in fields if f.name in features)
    model = make().fit(frame[[f.name for f in fields]], target(frame, kind).astype("float64"))
    assert build(model, frame, fields).signature.runtime == "python"


def test_threads_of_the_machine_are_no_part_of_the_package() -> None:
    frame, fields = data()
    ids = set()
    for threads in (1, 2):
        params = {"objective": "binary", "num_threads": threads, "deterministic": True, "force_row_wise": True}
        trained = lgb.train({**params, "verbosity": -1}, lgb.Dataset(frame[support.FEATURES], frame["late"]), 5)
        ids.add(build({"inner": trained}, frame, fields, models.Holder()).package.id)
    assert len(ids) == 1


def test_plain_objects() -> None:
    frame, fields = data()
    assert names(build(models.Callable(), frame, fields)) == ["prediction"]
    with pytest.raises(TypeError, match="override score"):
        build(object(), frame, fields)


def test_classes_decide_the_framework() -> None:
    class Mine(RandomForestClassifier):  # type: ignore[misc]  # scikit-learn has no types
        pass

    assert formats.of(Mine()).predict.__module__ == "signalbox.formats.sklearn"
    assert formats.of(lgb.LGBMRegressor()).native is not None
    assert formats.of(models.Constant()).native is None


def test_what_no_package_can_hold_is_refused() -> None:
    frame, fields = data()
    unnamed = models.Callable()
    unnamed.rule = lambda row: row  # type: ignore[attr-defined]
    with pytest.raises(packaging.PackagingError, match="make_serializable"):
        build(unnamed, frame, fields)
    with pytest.raises(packaging.PackagingError, match="carrier is missing"):
        build(models.Strict(), frame[frame["carrier"].notna()], fields)
    flow = models.Holder()
    with pytest.raises(packaging.PackagingError, match="finite"):
        build({"inner": Infinite()}, frame, fields, flow)
    with pytest.raises(packaging.PackagingError, match="No module named 'models'"):
        flow.classifier_features = support.FEATURES
        packaging.build(flow, {"inner": models.Constant()}, fields, frame.iloc[:9], {}, "")


class Infinite:
    def predict(self, dataframe: pd.DataFrame) -> npt.NDArray[Any]:
        return np.full(len(dataframe), np.inf)


def test_worker_that_dies_says_why() -> None:
    with pytest.raises(fresh.FreshError, match="signature.json"), fresh.load({"model.pkl": b""}):
        pass


class Dated(Workflow):
    """The time of a row as a text."""

    categorical_features = ()


def test_prophet() -> None:
    from prophet import Prophet

    days = pd.date_range("2026-01-01", periods=60)
    table = pd.DataFrame({"ds": days, "y": np.sin(np.arange(60) / 7) + np.arange(60) * 0.1})
    model = Prophet(weekly_seasonality=True, daily_seasonality=False, yearly_seasonality=False).fit(table)
    frame = pd.DataFrame({"ds": days.strftime("%Y-%m-%dT%H:%M:%SZ").astype(object)})
    flow = Workflow()
    flow.classifier_features = ["ds"]
    built = build(model, frame, (Field("ds", "string", False),), flow)
    assert names(built) == ["prediction"] and built.signature.runtime == "python"
    assert b'"growth"' in built.package.files["model.pkl"].data.replace(b"\\", b"")
    _, again = pickled.load(built.package.files["model.pkl"].data)
    assert np.allclose(flow.score(again, frame), model.predict(table)["yhat"])
    seconds = pd.DataFrame({"ds": days.astype("int64") / 1e9})
    assert np.allclose(flow.score(again, seconds), flow.score(model, frame))


if sys.version_info < (3, 13):  # fastText has no wheels for later ones

    @pytest.mark.parametrize("classes", [2, 3])
    def test_fasttext(classes: int, tmp_path: Any) -> None:
        import fasttext

        words = ["late flight storm", "early bright sun", "night train north"][:classes]
        corpus = tmp_path / "train.txt"
        corpus.write_text("".join(f"__label__{w.split()[0]} {w}\n" for _ in range(200) for w in words))
        # With fewer than ten threads fastText leaves weights as they happened to lie in memory.
        options = {"epoch": 5, "dim": 10, "thread": 10, "seed": 1, "verbose": 0, "minCount": 1, "lr": 0.5}
        model = fasttext.train_supervised(str(corpus), **options)
        frame = pd.DataFrame({"title": [words[i % classes] for i in range(30)], "more": ["sun", ""] * 15})
        built = build(model, frame, (Field("title", "string", False), Field("more", "string", True)))
        found = [f"probability_{w}" for w in sorted(w.split()[0] for w in words)]
        assert names(built) == (found if classes > 2 else ["probability"])
        flow, again = pickled.load(built.package.files["model.pkl"].data)
        scores = flow.score(again, frame)
        first = scores[::classes] if classes == 2 else scores[::3, 1]
        assert (first > 0.5).all() and np.isfinite(scores).all()
