"""Model formats, one module a framework. None is imported until a model's class says that it is needed.

A framework says how its models predict, what their outputs are called, which engine can serve them without Python, and
how the objects that pickle cannot keep are turned into bytes of the framework's own.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ..arrays import Floats
from ..signature import Field

# Frameworks by the top-level package of a class; "plain" is everything else.
_MODULES = {
    "fasttext": "fasttext",
    "lightgbm": "lightgbm",
    "prophet": "prophet",
    "sklearn": "sklearn",
    "torch": "torch",
    "xgboost": "xgboost",
}
_PLAIN = "plain"


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


@dataclass(frozen=True)
class Framework:
    """What is special about the models of a framework."""

    #: Outputs for a prepared frame of the features: one a row, or a row of outputs each.
    predict: Callable[[Any, pd.DataFrame], Floats]

    #: The names of so many outputs.
    outputs: Callable[[Any, int], list[str]]

    #: The form that an engine serves. None: there is none.
    native: Callable[[Any, tuple[Field, ...]], Native] | None = None

    #: What pickle shall store in an object's place, as ``__reduce__`` returns it; NotImplemented for its own way.
    #: None: pickle keeps every object of the framework.
    reduce: Callable[[Any], Any] | None = None


def of(model: Any) -> Framework:
    """Return the framework of a model: that of the first of its classes that belongs to one."""
    return of_class(type(model))


def of_class(kind: type) -> Framework:
    """Return the framework of a class."""
    modules = (c.__module__ for c in kind.__mro__)
    roots = (m.partition(".")[0] for m in modules if isinstance(m, str))  # some classes have a slot of that name
    name = next((_MODULES[root] for root in roots if root in _MODULES), _PLAIN)
    framework = importlib.import_module(f".{name}", __name__).FRAMEWORK
    assert isinstance(framework, Framework)
    return framework


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
    native = of(model).native
    if native is None:
        raise NotNative(f"{type(model).__module__}.{type(model).__qualname__} is not a LightGBM or XGBoost model")
    return native(model, fields)
