"""The conformance kit: it passes fit workflows and says what is wrong with others."""

from __future__ import annotations

from typing import Any

import flows
import pytest
import support

from signalbox import Workflow, packaging
from signalbox.testing import ConformanceError, check_workflow


def request(**more: Any) -> dict[str, Any]:
    return {"train": {"classifier_features": support.FEATURES, "label": "late", **more}}


@pytest.mark.parametrize(("kind", "runtime"), [(flows.Good, "trees"), (flows.GoodPython, "python")])
def test_fit_workflows_pass(kind: type[Workflow], runtime: str) -> None:
    report = check_workflow(kind, support.flights(400), request())
    assert report.signature.runtime == runtime and report.scores.shape == (80, 1)
    assert report.package.startswith("sha256.") and report.metrics["holdout_rows"] == 80


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (flows.Unseeded, "differ in golden.jsonl, model.pkl"),
        (flows.LooksAround, "looks at other rows"),
        (flows.Peeks, "the label, or a column that serving lacks"),
    ],
)
def test_faults_are_found(kind: type[Workflow], words: str) -> None:
    with pytest.raises(ConformanceError, match=words):
        check_workflow(kind, support.flights(400), request())


def test_answer_that_is_no_number_is_refused_when_it_is_packaged() -> None:
    with pytest.raises(packaging.PackagingError, match="finite"):
        check_workflow(flows.Seeing, support.flights(400), request())


@pytest.mark.parametrize(
    ("feature", "words"), [("late", "is one of the features"), ("again", "is the label in other words")]
)
def test_label_among_the_features(feature: str, words: str) -> None:
    frame = support.flights(400)
    frame["again"] = frame["late"].map({True: "yes", False: "no"})
    with pytest.raises(ConformanceError, match=words):
        check_workflow(flows.GoodPython, frame, request(classifier_features=["distance", feature]))


def test_every_fault_is_listed() -> None:
    frame = support.flights(400)
    frame["again"] = frame["late"]
    with pytest.raises(ConformanceError) as found:
        check_workflow(flows.Unseeded, frame, request(classifier_features=["distance", "again"]))
    assert str(found.value).count("\n- ") == 2
