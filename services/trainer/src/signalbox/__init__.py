"""Signalbox trains, packages and serves models; this package is what runs inside a training job.

A workflow is one class::

    from signalbox import Workflow

    class FlightDelay(Workflow):
        def train(self, training_dataframe, holdout_dataframe):
            ...
            return fitted_estimator

Everything else (reading data, splitting, scoring, packaging, publishing) is done by ``signalbox.runner``.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .dataset import Input
    from .workflow import Workflow

__all__ = ["Input", "Workflow"]
__version__ = "0.1.0"

_HOMES = {"Input": "dataset", "Workflow": "workflow"}


def __getattr__(name: str) -> Any:
    """Import a name when it is first asked for: the launcher must not pay for pandas."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value
