"""PyTorch modules: the module's own objects, with every tensor as raw bytes on the CPU.

Pickle's way with tensors depends on addresses and on the device, so the same weights would be different packages. The
module's class is imported from the workflow's code or from PyTorch when the package is loaded.
"""

from __future__ import annotations

import ctypes
import io
import itertools
from typing import Any

import numpy as np
import pandas as pd
import torch

from ..arrays import Floats
from . import Framework, plain


def predict(model: Any, features: pd.DataFrame) -> Floats:
    """Return what the module gives for a float32 matrix of the features: categories are their codes, null is NaN."""
    if not isinstance(model, torch.nn.Module):
        return plain.predict(model, features)
    model.eval()
    device = next((t.device for t in itertools.chain(model.parameters(), model.buffers())), torch.device("cpu"))
    with torch.inference_mode():
        found = model(matrix(features).to(device))
    if isinstance(found, (tuple, list)):
        found = torch.cat([f.reshape(len(features), -1) for f in found], dim=1)
    return plain.numbers(array(found), f"{type(model).__qualname__}.forward")


def matrix(features: pd.DataFrame) -> torch.Tensor:
    """Return the features as a float32 tensor, one row each. TypeError for texts without categories."""
    values = np.empty(features.shape, dtype=np.float32)
    for i, (name, column) in enumerate(features.items()):
        if isinstance(column.dtype, pd.CategoricalDtype):
            codes = column.cat.codes.to_numpy(dtype=np.float32)
            values[:, i] = np.where(codes < 0, np.nan, codes)
        elif column.dtype == object:
            raise TypeError(f"feature {name!r} holds texts: name it in categorical_features, or override score")
        else:
            values[:, i] = column.to_numpy(dtype=np.float32)
    return _tensor(torch.float32, features.shape, values.tobytes())


def array(tensor: torch.Tensor) -> Floats:
    """Return a tensor as an array; it works without PyTorch's own bridge, which is bound to a version of NumPy."""
    flat = tensor.detach().to("cpu", torch.float64).contiguous()
    return np.frombuffer(_bytes(flat), dtype=np.float64).reshape(tuple(flat.shape))


def reduce(value: Any) -> Any:
    """Keep tensors and parameters as bytes, compiled modules in TorchScript's own format."""
    if isinstance(value, torch.jit.ScriptModule):
        out = io.BytesIO()
        torch.jit.save(value.cpu(), out)
        return restore_script, (out.getvalue(),)
    if type(value) not in (torch.Tensor, torch.nn.Parameter) or value.is_sparse or value.is_quantized:
        return NotImplemented
    flat = value.detach().to("cpu").contiguous()
    kind = str(flat.dtype).removeprefix("torch.")
    restore = restore_tensor if type(value) is torch.Tensor else restore_parameter
    return restore, (kind, tuple(flat.shape), _bytes(flat), bool(value.requires_grad))


def restore_tensor(kind: str, shape: tuple[int, ...], data: bytes, requires_grad: bool) -> torch.Tensor:
    """Return the tensor that reduce kept."""
    return _tensor(getattr(torch, kind), shape, data).requires_grad_(requires_grad)


def restore_parameter(kind: str, shape: tuple[int, ...], data: bytes, requires_grad: bool) -> torch.nn.Parameter:
    """Return the parameter that reduce kept."""
    return torch.nn.Parameter(_tensor(getattr(torch, kind), shape, data), requires_grad)


def restore_script(data: bytes) -> Any:
    """Return the compiled module that reduce kept."""
    return torch.jit.load(io.BytesIO(data), map_location="cpu")


def _bytes(tensor: torch.Tensor) -> bytes:
    return ctypes.string_at(tensor.data_ptr(), tensor.numel() * tensor.element_size()) if tensor.numel() else b""


def _tensor(kind: torch.dtype, shape: tuple[int, ...], data: bytes) -> torch.Tensor:
    if not data:
        return torch.empty(shape, dtype=kind)
    return torch.frombuffer(bytearray(data), dtype=kind).reshape(shape)


FRAMEWORK = Framework(predict, plain.outputs, reduce=reduce)
