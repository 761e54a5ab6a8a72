"""Model formats: what an engine reads gives what Python computed, unknown and missing values included."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import support
import xgboost
from models import Constant, Forgetful

from signalbox import Workflow, formats, packaging, rows
from signalbox.dataset import Column, column_type, to_frame
from signalbox.formats import pickled
from signalbox.package import MEDIA_CODE
from signalbox.signature import Field, Signature, learn_inputs

MODELS = Path(__file__).with_name("models.py").read_bytes()
PARAMS = {"objective": "binary", "num_leaves": 7, "verbosity": -1, "num_threads": 1, "seed": 1}


def data(categorical: Any = None) -> tuple[pd.DataFrame, tuple[Field, ...]]:
    import pyarrow as pa

    table = pa.Table.from_pandas(support.flights(2000), preserve_index=False)
    frame = to_frame(table)
    columns = {f.name: Column(f.name, column_type(f.type), False) for f in table.schema}
    fields = learn_inputs(frame, support.FEATURES, columns, categorical)
    return rows.prepare(frame, fields), fields


def workflow() -> Workflow:
    flow = Workflow()
    flow.classifier_features = support.FEATURES
    return flow


def booster(frame: pd.DataFrame, **params: Any) -> lgb.Booster:
    return lgb.train({**PARAMS, **params}, lgb.Dataset(frame[support.FEATURES], frame["late"]), 15)


def build(model: Any, frame: pd.DataFrame, fields: tuple[Field, ...], flow: Workflow | None = None) -> packaging.Built:
    return packaging.build(flow or workflow(), model, fields, frame.iloc[:500], {"models.py": MODELS}, "lock")


def test_learned_fields() -> None:
    _, fields = data()
    described = {f.name: f for f in fields}
    assert described["carrier"].categories == ("AA", "B6", "DL", "UA", "Zürich") and described["carrier"].nullable
    assert not described["origin"].nullable and described["wind_speed"].nullable
    assert (described["distance"].type, described["weekend"].type) == ("integer", "boolean")
    signature = Signature("trees", "f", "m", fields, (), 0.5)
    assert Signature.decode(signature.encode()) == signature


def test_rows_survive_every_form() -> None:
    frame, fields = data()
    sample = frame.iloc[:300]
    values, text = rows.to_matrix(sample, fields)
    assert values.shape == (300, 6) and text == []
    names = [f.name for f in fields]
    pd.testing.assert_frame_equal(rows.from_matrix(values, text, fields), sample[names])
    pd.testing.assert_frame_equal(rows.from_json(list(rows.to_json(sample, fields)), fields), sample[names])


def test_texts_without_categories_travel_as_texts() -> None:
    frame, fields = data(categorical=["origin"])
    sample = frame.iloc[:300]
    values, text = rows.to_matrix(sample, fields)
    assert np.isnan(values[:, 0]).all() and text[::6] == sample["carrier"].tolist() and "" in text[::6]
    names = [f.name for f in fields]
    pd.testing.assert_frame_equal(rows.from_matrix(values, text, fields), sample[names])
    pd.testing.assert_frame_equal(rows.from_json(list(rows.to_json(sample, fields)), fields), sample[names])
    nulls = rows.from_json([{"carrier": None}, {}], fields)
    assert nulls["carrier"].tolist() == ["", ""]
    with pytest.raises(formats.NotNative, match="no categories"):
        formats.trees(booster(data()[0]), fields)


def test_lightgbm_booster_is_native() -> None:
    frame, fields = data()
    built = build(booster(frame), frame, fields)
    assert built.signature.format == "lightgbm-text" and built.signature.inputs == fields
    assert [f.name for f in built.signature.outputs] == ["probability"]
    assert b"num_threads" not in built.package.files["model.txt"].data


def test_lightgbm_goes_right_for_null_and_for_unknown_categories() -> None:
    """The rule that the native engine follows: NaN, a negative and an unseen code are all in no set."""
    frame, fields = data()
    model = booster(frame, min_data_per_group=1, cat_smooth=1.0)
    sample = frame[support.FEATURES].iloc[:400].copy()
    unknown = sample.assign(carrier=pd.Categorical(["??"] * 400, categories=["??", "AA", "B6"]))
    wanted = model.predict(unknown)
    loaded = lgb.Booster(model_str=model.model_to_string())
    for code in (np.nan, -1, 77):
        values, _ = rows.to_matrix(sample, fields)
        values[:, 0] = code
        assert np.array_equal(loaded.predict(values), wanted)
    requests = [{**r, "carrier": "??"} for r in rows.to_json(sample, fields)]
    assert np.isnan(rows.to_matrix(rows.from_json(requests, fields), fields)[0][:, 0]).all()


def test_lightgbm_kinds_of_output() -> None:
    frame, fields = data()
    regression = build(booster(frame, objective="regression"), frame, fields)
    assert [f.name for f in regression.signature.outputs] == ["prediction"]
    frame = frame.assign(late=frame["distance"] // 1000)
    classes = build(booster(frame, objective="multiclass", num_class=3), frame, fields)
    assert [f.name for f in classes.signature.outputs] == ["probability_0", "probability_1", "probability_2"]
    assert classes.signature.runtime == "trees"


def test_inputs_follow_the_order_of_the_model() -> None:
    frame, fields = data()
    order = list(reversed(support.FEATURES))
    model = lgb.train(PARAMS, lgb.Dataset(frame[order[:-1]], frame["late"]), 5)
    flow = workflow()
    flow.classifier_features = order[:-1]
    built = build(model, frame, fields, flow)
    assert [f.name for f in built.signature.inputs] == order[:-1]


def test_model_with_an_encoding_of_its_own_is_not_taken_for_native() -> None:
    frame, fields = data()

    class Encoding(Workflow):
        def train(self, a: Any, b: Any) -> Any: ...

        def score(self, model: Any, dataframe: pd.DataFrame) -> npt.NDArray[Any]:
            return np.asarray(model.predict(encode(dataframe)))

    def encode(dataframe: pd.DataFrame) -> pd.DataFrame:
        return dataframe[support.FEATURES].assign(carrier=dataframe["carrier"].cat.codes * 10.0, origin=0.0)

    model = lgb.train(PARAMS, lgb.Dataset(encode(frame), frame["carrier"] == "UA"), 15)
    with pytest.raises(formats.NotNative, match="own score"):
        packaging._native(Encoding(), model, fields, frame.iloc[:50])
    plain = workflow()
    plain.score = lambda model, dataframe: model.predict(encode(dataframe))  # type: ignore[method-assign]
    with pytest.raises(formats.NotNative, match="predicts differently"):
        packaging._native(plain, model, fields, frame.iloc[:50])


def test_xgboost_is_native() -> None:
    frame, fields = data()
    numbers = ["distance", "departure_delay", "wind_speed", "weekend"]
    fields = tuple(f for f in fields if f.name in numbers)
    matrix = xgboost.DMatrix(frame[[f.name for f in fields]], label=frame["late"])
    model = xgboost.train({"objective": "binary:logistic", "max_depth": 3, "nthread": 1}, matrix, 5)

    class Flow(Workflow):
        def train(self, a: Any, b: Any) -> Any: ...

    native = formats.trees(model, fields)
    assert native.format == "xgboost-json" and native.data.startswith(b'{"learner"')
    values, _ = rows.to_matrix(frame, fields)
    assert np.allclose(native.predict(values), model.predict(matrix), atol=native.tolerance)
    assert packaging.output_fields(Flow(), model, np.zeros(3))[0].name == "probability"


def test_other_models_are_pickled_with_their_code() -> None:
    frame, fields = data()
    built = build(Constant(), frame, fields)
    assert built.signature.runtime == "python" and built.package.format == "python-pickle"
    assert built.package.files["code/models.py"].media_type == MEDIA_CODE
    flow, model = pickled.load(built.package.files["model.pkl"].data)
    assert flow.classifier_features == support.FEATURES and flow.score(model, frame).tolist() == [0.25] * 2000
    assert flow.request == {}


def test_pickle_that_predicts_differently_is_refused() -> None:
    frame, fields = data()
    with pytest.raises(packaging.PackagingError, match="differently by 1"):
        build(Forgetful(), frame, fields)


def test_make_serializable_and_output_names() -> None:
    frame, fields = data()

    class Flow(Workflow):
        output_names = ["a", "b"]

        def make_serializable(self, model: Any) -> Any:
            return model["inner"]

    with pytest.raises(packaging.PackagingError, match="2 names for 1 outputs"):
        packaging.build(Flow(), {"inner": Constant()}, fields, frame.iloc[:9], {}, "")
