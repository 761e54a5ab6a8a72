"""Reading, joining, filtering and splitting data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import support

from signalbox import client, dataset, digest, filters, sampling, times
from signalbox.dataset import DatasetError
from signalbox.job import Part, Signed, Source
from signalbox.transport import TransportError


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "country": ["US", "CA", None, "DE"],
            "amount": [1.5, 2.5, np.nan, 4.5],
            "count": [1, 2, 3, 4],
            "fraud": [True, False, True, False],
            "at": pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-03", None], utc=True),
            "day": ["2026-01-01", "2026-01-02T12:00:00Z", None, "2026-01-04"],
        }
    )


@pytest.mark.parametrize(
    ("name", "predicate", "value", "kept"),
    [
        ("country", "Eq", {"string_val": "US"}, [0]),
        ("country", "NotEq", {"string_val": "US"}, [1, 3]),
        ("country", "IsIn", {"string_vals": ["US", "CA"]}, [0, 1]),
        ("country", "NotIn", {"string_vals": ["US", "CA"]}, [3]),
        ("country", "IsNull", None, [2]),
        ("country", "NotNull", {}, [0, 1, 3]),
        ("amount", "Gt", {"float_val": 2.5}, [3]),
        ("amount", "GtEq", {"float_val": 2.5}, [1, 3]),
        ("amount", "Lt", {"int_val": 4}, [0, 1]),
        ("count", "LtEq", {"int_val": 2}, [0, 1]),
        ("count", "IsIn", {"int_vals": [1, 4]}, [0, 3]),
        ("amount", "IsIn", {"float_vals": [1.5]}, [0]),
        ("fraud", "Eq", {"bool_val": False}, [1, 3]),
        ("at", "GtEq", {"date_val": "2026-01-02"}, [1, 2]),
        ("day", "Lt", {"date_val": "2026-01-02T12:00:00+00:00"}, [0]),
    ],
)
def test_predicates(name: str, predicate: str, value: Any, kept: list[int]) -> None:
    doc = {"feature_name": name, "predicate": predicate, "feature_value": value}
    assert filters.apply(frame(), [doc])["count"].tolist() == [k + 1 for k in kept]


def test_filters_all_apply() -> None:
    docs = [
        {"feature_name": "count", "predicate": "Gt", "feature_value": {"int_val": 1}},
        {"feature_name": "fraud", "predicate": "Eq", "feature_value": {"bool_val": False}},
    ]
    left = filters.apply(frame(), docs)
    assert left["count"].tolist() == [2, 4] and left.index.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("doc", "words"),
    [
        ({"feature_name": "x", "predicate": "IsNull"}, "no such column"),
        ({"feature_name": "count", "predicate": "Like", "feature_value": {"int_val": 1}}, "unknown predicate"),
        ({"feature_name": "count", "predicate": "Eq", "feature_value": {}}, "exactly one of"),
        ({"feature_name": "count", "predicate": "Eq", "feature_value": {"int_val": 1, "float_val": 2}}, "exactly one"),
        ({"feature_name": "count", "predicate": "Eq", "feature_value": {"int_vals": [1]}}, "wants one value"),
        ({"feature_name": "count", "predicate": "IsIn", "feature_value": {"int_val": 1}}, "wants a list"),
        ({"feature_name": "count", "predicate": "Gt", "feature_value": {"string_val": "a"}}, "count"),
        ({"feature_name": "day", "predicate": "Gt", "feature_value": {"date_val": "soon"}}, "not a date"),
    ],
)
def test_bad_filters_say_what_is_wrong(doc: dict[str, Any], words: str) -> None:
    with pytest.raises(DatasetError, match=words):
        filters.apply(frame(), [doc])


def split(data: pd.DataFrame, function: str, seed: int = 1, **options: Any) -> tuple[set[str], set[str]]:
    doc = {"sampling_function": function, f"{function.lower()}_sampling": options}
    training, holdout = sampling.split(data, doc, "event_time", seed)
    assert len(training) + len(holdout) == len(data)
    assert training.index.tolist() == list(range(len(training)))
    return set(training["event_id"]), set(holdout["event_id"])


def test_date_range_is_half_open() -> None:
    data = support.flights(1000)
    _, holdout = split(data, "DATE_RANGE", start_date="2026-01-02", end_date="2026-01-03T00:00:00Z")
    assert holdout == {f"e{i}" for i in range(144, 288)}
    _, holdout = split(data, "DATE_RANGE", start_date="2026-01-05")
    assert holdout == {f"e{i}" for i in range(576, 1000)}


def test_last_is_relative_to_the_newest_row() -> None:
    training, holdout = split(support.flights(1000), "DATE_RANGE", last="1d", date_column="event_time")
    assert len(holdout) == 144 and "e999" in holdout and "e855" in training


@pytest.mark.parametrize("function", ["RANDOM", "HASH", "STRATIFIED"])
def test_draws_are_a_fraction_and_repeat(function: str) -> None:
    data = support.flights(2000)
    options: dict[str, Any] = {"fraction": 0.25, "column": "event_id" if function == "HASH" else "carrier"}
    _, first = split(data, function, **options)
    _, again = split(data, function, **options)
    assert first == again and 400 < len(first) < 600
    _, other = split(data, function, seed=2, **options)
    assert (other == first) == (function == "HASH")


def test_hash_keeps_a_key_on_its_side() -> None:
    data = support.flights(2000)
    _, few = split(data.iloc[:1000], "HASH", fraction=0.2, column="event_id")
    _, many = split(data, "HASH", fraction=0.2, column="event_id")
    assert few == {e for e in many if int(e[1:]) < 1000}
    keys = pd.DataFrame({"event_id": list("abcd"), "key": [1, 2, 3, 4]})
    holed = pd.DataFrame({"event_id": list("abcde"), "key": [1, 2, 3, 4, np.nan]})
    assert split(keys, "HASH", fraction=0.5, column="key")[1] == split(holed, "HASH", fraction=0.5, column="key")[1] - {
        "e"
    }


def test_stratified_keeps_the_shares() -> None:
    data = support.flights(4000)
    _, holdout = split(data, "STRATIFIED", fraction=0.1, column="carrier")
    chosen = data[data["event_id"].isin(holdout)]
    for value, size in data["carrier"].value_counts(dropna=False).items():
        same = chosen["carrier"].isna() if pd.isna(value) else chosen["carrier"] == value
        assert same.sum() == round(size * 0.1)


@pytest.mark.parametrize(
    ("sample", "words"),
    [
        ({"sampling_function": "NONE"}, "unknown sampling_function"),
        ({"sampling_function": "DATE_RANGE"}, "want start_date, end_date or last"),
        ({"sampling_function": "DATE_RANGE", "date_range_sampling": {"last": "1 week"}}, "not a duration"),
        ({"sampling_function": "DATE_RANGE", "date_range_sampling": {"last": "900d"}}, "nothing is left to train"),
        ({"sampling_function": "DATE_RANGE", "date_range_sampling": {"date_column": "x", "last": "1d"}}, "no column"),
        (
            {"sampling_function": "DATE_RANGE", "date_range_sampling": {"date_column": "distance", "last": "1d"}},
            "numbers",
        ),
        ({"sampling_function": "RANDOM"}, "fraction"),
        ({"sampling_function": "RANDOM", "random_sampling": {"fraction": 1.5}}, "not between 0 and 1"),
        ({"sampling_function": "HASH", "hash_sampling": {"fraction": 0.5}}, "column"),
    ],
)
def test_bad_sampling_says_what_is_wrong(sample: dict[str, Any], words: str) -> None:
    with pytest.raises(DatasetError, match=words):
        sampling.split(support.flights(500), sample, "event_time", 1)


def test_no_sampling_keeps_everything() -> None:
    training, holdout = sampling.split(support.flights(10), None, "", 1)
    assert len(training) == 10 and holdout.empty


def test_times() -> None:
    assert (
        times.instant("2018-10-01")
        == times.instant("2018-10-01T02:00:00+02:00")
        == pd.Timestamp("2018-10-01", tz="UTC")
    )
    assert times.span("1d12h") == pd.Timedelta(hours=36)
    dates = pd.Series(pd.to_datetime(["2026-01-01"]).date)
    assert times.column(dates)[0] == pd.Timestamp("2026-01-01", tz="UTC")
    for bad in ("", "d", "-1d", "1w"):
        with pytest.raises(ValueError):
            times.span(bad)


def test_join_on_shared_columns() -> None:
    left = pd.DataFrame({"id": [1, 2, 3], "a": [1, 2, 3]})
    right = pd.DataFrame({"id": [3, 1], "b": [30, 10]})
    assert dataset.join([left, right]).to_dict("list") == {"id": [1, 3], "a": [1, 3], "b": [10, 30]}
    with pytest.raises(DatasetError, match="shares no column"):
        dataset.join([left, right.rename(columns={"id": "key"})])
    with pytest.raises(DatasetError, match="more than once"):
        dataset.join([left, pd.concat([right, right])])


def test_types_of_columns() -> None:
    table = pa.table(
        {
            "flag": pa.array([True, None]),
            "price": pa.array([1, None], pa.decimal128(9, 2)),
            "text": pa.array(["a", None]),
            "whole": pa.array([1, None]),
            "at": pa.array([0, None], pa.timestamp("us", tz="UTC")),
        }
    )
    kinds = [dataset.column_type(f.type) for f in table.schema]
    assert kinds == ["boolean", "number", "string", "integer", "other"]
    out = dataset.to_frame(table)
    assert (
        out["flag"].tolist()[0] == 1.0 and out["flag"].dtype == out["price"].dtype == out["whole"].dtype == np.float64
    )


def source(plane: support.Control, *data: bytes, **more: Any) -> Source:
    parts = tuple(Part.parse(plane.put(f"p{i}", d)) for i, d in enumerate(data))
    return Source(digest.of(b"d"), parts, **more)


def test_parts_are_fetched_once_and_verified(tmp_path: Path) -> None:
    whole = support.flights(200)
    with support.control() as plane:
        asked = source(plane, support.parquet(whole[:120]), support.parquet(whole[120:]), names=("event_id", "late"))
        first = dataset.fetch(asked, tmp_path)
        assert len(first.files) == 2 and len(list(tmp_path.iterdir())) == 1  # the second comes when it is read
        files = list(first.files)
        plane.state.objects.clear()
        again = dataset.fetch(asked, tmp_path)
        assert list(again.files) == files and again.columns == first.columns
    assert again.read().columns.tolist() == ["event_id", "late"] and len(again.read()) == 200
    assert len(again.read(["distance"]).columns) == 1
    columns = {c.name: (c.type, c.nullable) for c in again.columns}
    assert columns["event_time"] == ("other", False) and columns["carrier"] == ("string", False)


def test_cached_part_that_rotted_is_fetched_again(tmp_path: Path) -> None:
    with support.control() as plane:
        asked = source(plane, support.parquet(support.flights(50)))
        (file,) = dataset.fetch(asked, tmp_path).files
        file.write_bytes(b"rotten")
        assert len(dataset.fetch(asked, tmp_path).read()) == 50


def test_fetch_refuses(tmp_path: Path) -> None:
    with support.control() as plane:
        with pytest.raises(DatasetError, match="columns that the dataset lacks: nope"):
            dataset.fetch(source(plane, support.parquet(support.flights(5)), names=("nope",)), tmp_path)
        with pytest.raises(DatasetError, match="no parts"):
            dataset.fetch(source(plane), tmp_path)


def test_part_of_unknown_digest_is_named_by_what_it_is(tmp_path: Path) -> None:
    data = support.parquet(support.flights(5))
    with support.control() as plane:
        known = Part.parse(plane.put("p", data))
        (file,) = dataset.fetch(Source("", (Part("", known.size, known.get),)), tmp_path).files
    assert file.name == digest.of(data)


@pytest.mark.parametrize("size", [3, 5])
def test_download_checks_the_size(tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signalbox.transport.ATTEMPTS", 1)
    with support.control() as plane:
        get = Signed.parse(plane.put("x", b"1234")["get"])
        client.download(get, tmp_path / "x", 4)
        assert (tmp_path / "x").read_bytes() == b"1234"
        with pytest.raises(TransportError, match=f"of {size}") as caught:
            client.download(get, tmp_path / "x", size)
        assert "signature" not in str(caught.value)


def test_parquet_of_text_dictionaries(tmp_path: Path) -> None:
    path = tmp_path / "f.parquet"
    pq.write_table(pa.table({"c": pa.array(["a", "b"]).dictionary_encode()}), path)
    assert dataset.column_type(pq.read_schema(path).field("c").type) == "string"
