"""PyTorch models as packages: pytest -m torch, in an environment made with setup-env.sh --with-torch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from test_formats import data
from test_frameworks import NUMBERS

from signalbox import Workflow, environment, packaging
from signalbox.formats import pickled

pytestmark = pytest.mark.torch

NET = """
import torch
from signalbox import Workflow

class Net(torch.nn.Module):
    def __init__(self, width, outputs=1):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(width, 8), torch.nn.BatchNorm1d(8), torch.nn.ReLU(),
                                          torch.nn.Dropout(0.5), torch.nn.Linear(8, outputs))
        self.register_buffer("scale", torch.tensor(2.0))

    def forward(self, x):
        return torch.sigmoid(self.layers(torch.nan_to_num(x)) * self.scale)

class Flow(Workflow):
    pass
"""


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    import importlib
    import sys

    (tmp_path / "net.py").write_text(NET)
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("net", None)
    return importlib.import_module("net")


def build(model: Any, flow: Workflow) -> packaging.Built:
    frame, fields = data()
    fields = tuple(f for f in fields if f.name in NUMBERS)
    flow.classifier_features = [f.name for f in fields]
    return packaging.build(flow, model, fields, frame.iloc[:300], {"net.py": NET.encode()}, "lock")


def fitted(net: Any, outputs: int) -> Any:
    import torch

    torch.manual_seed(1)
    model = net.Net(len(NUMBERS), outputs)
    optimizer = torch.optim.Adam(model.parameters())
    model.train()
    for _ in range(5):
        optimizer.zero_grad()
        model(torch.randn(64, len(NUMBERS))).square().mean().backward()
        optimizer.step()
    return model


@pytest.mark.parametrize(("outputs", "names"), [(1, ["prediction"]), (2, ["prediction_0", "prediction_1"])])
def test_module_is_the_same_package_each_time(net: Any, outputs: int, names: list[str]) -> None:
    first, second = (build(fitted(net, outputs), net.Flow()) for _ in range(2))
    assert first.package.id == second.package.id
    assert [f.name for f in first.signature.outputs] == names and first.signature.runtime == "python"


def test_compiled_module_needs_no_class(net: Any) -> None:
    import torch

    built = build(torch.jit.script(fitted(net, 1).eval()), Workflow())
    _, model = pickled.load(built.package.files["model.pkl"].data)
    assert isinstance(model, torch.jit.ScriptModule)


def test_tensors_of_every_kind_survive(net: Any) -> None:
    import torch

    flow = net.Flow()
    flow.kept = [torch.tensor([[1, 2], [3, 4]]).t(), torch.tensor([True]), torch.zeros(0, 3), torch.tensor(1.5)]
    flow.kept.append(torch.nn.Parameter(torch.ones(2, dtype=torch.bfloat16), requires_grad=False))
    again, _ = pickled.load(pickled.dump(flow, None))
    for kept, loaded in zip(flow.kept, again.kept):
        assert type(kept) is type(loaded) and kept.dtype == loaded.dtype and kept.shape == loaded.shape
        assert torch.equal(kept, loaded)


def test_texts_without_categories_are_refused(net: Any) -> None:
    flow = net.Flow()
    flow.classifier_features = ["a"]
    with pytest.raises(TypeError, match="holds texts"):
        flow.score(fitted(net, 1), pd.DataFrame({"a": np.array(["x"], dtype=object)}))


def test_a_job_seeds_it() -> None:
    code = """
import sys
from signalbox import environment
environment.seed_everything(7)
assert "torch" not in sys.modules
import torch
first = torch.rand(3)
environment.seed_everything(7)
assert torch.equal(first, torch.rand(3))
assert torch.equal(first, torch.rand(3, generator=torch.Generator().manual_seed(7)))
"""
    env = {**os.environ, "PYTHONPATH": str(Path(environment.__file__).parents[1])}
    subprocess.run([sys.executable, "-c", code], check=True, env=env, timeout=120)
