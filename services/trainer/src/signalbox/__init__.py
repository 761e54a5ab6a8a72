"""Signalbox trains, packages and serves models; this package is what runs inside a training job.

A workflow is one class::

    from signalbox import Workflow

    class FlightDelay(Workflow):
        def train(self, training_dataframe, holdout_dataframe):
            ...
            return fitted_estimator

Everything else (reading data, splitting, scoring, packaging, publishing) is done by ``signalbox.runner``.
"""

from .dataset import Input
from .workflow import Workflow

__all__ = ["Input", "Workflow"]
__version__ = "0.1.0"
