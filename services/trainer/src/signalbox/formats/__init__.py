"""Package formats. Each turns a model into files and back, and says which engine serves them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..arrays import Floats
from ..signature import Field


@dataclass(frozen=True)
class Native:
    """A model as an engine reads it: one file, the inputs in the model's order, and how to check it.

    ``predict`` computes from the file's bytes and a float64 matrix alone, as the engine will.
    """

    format: str
    file: str
    data: bytes
    inputs: tuple[Field, ...]
    predict: Callable[[Floats], Floats]
    tolerance: float


class NotNative(Exception):
    """No native engine can take this model; the reason is for the log."""


def order_inputs(names: list[str], fields: tuple[Field, ...]) -> tuple[Field, ...]:
    """Return the fields in the order in which a model names them. NotNative if it names others."""
    by_name = {f.name: f for f in fields}
    if len(names) == len(fields) and not set(names) & set(by_name):
        return fields  # trained on a matrix: names were made up, the order was ours
    unknown = [n for n in names if n not in by_name]
    if unknown:
        raise NotNative(f"the model has inputs that are no features: {', '.join(unknown[:5])}")
    return tuple(by_name[n] for n in names)


def trees(model: Any, fields: tuple[Field, ...]) -> Native:
    """Return the native form of a tree model. NotNative where it has none."""
    if any(f.type == "string" and not f.categories for f in fields):
        raise NotNative("a text feature has no categories")
    module = type(model).__module__.partition(".")[0]
    if module == "lightgbm":
        from . import lightgbm

        return lightgbm.native(model, fields)
    if module == "xgboost":
        from . import xgboost

        return xgboost.native(model, fields)
    raise NotNative(f"{type(model).__module__}.{type(model).__qualname__} is not a LightGBM or XGBoost model")
