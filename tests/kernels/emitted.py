"""Emitted kernels as modules, through the whole pipeline."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from functools import cache
from pathlib import Path
from types import ModuleType

from symgrad import pipeline
from symgrad.notation.library import from_text, load

OTHERS = {
    "layer_norm": """input x[b, i]
parameter g[i], h[i]
constant eps = 1e-5
m[b] = mean[i](x[b, i])
v[b] = mean[i]((x[b, i] - m[b])**2)
y[b, i] = g[i] * (x[b, i] - m[b]) / sqrt(v[b] + eps) + h[i]
output y""",
    "rms_norm": """input x[b..., i]
parameter g[i]
constant eps = 1e-6
r[b] = 1 / sqrt(mean[i](x[b, i]**2) + eps)
y[b, i] = g[i] * x[b, i] * r[b]
output y""",
    "soft": "input x[b, v]\np[b, v] = exp(x[b, v]) / sum[v](exp(x[b, v]))\noutput p",
    "linear": "input x[b, i]\nparameter w[o, i], h[o]\ny[b, o] = sum[i](w[o, i] * x[b, i]) + h[o]\noutput y",
    "attention": """input q[b..., i, d], k[b..., j, d], v[b..., j, e]
s[b, i, j] = sum[d](q[b, i, d] * k[b, j, d]) / sqrt(size[d])
a[b, i, j] = exp(s[b, i, j]) / sum[j](exp(s[b, i, j]))
y[b, i, e] = sum[j](a[b, i, j] * v[b, j, e])
output y""",
    "log_soft": "input x[b..., v]\ny[b, v] = x[b, v] - log(sum[v](exp(x[b, v])))\noutput y",
    "log_sum": "input x[b..., v]\ny[b] = log(sum[v](exp(x[b, v])))\noutput y",
    "cross_entropy": """input x[b, v]
target t[b, v]
p[b, v] = exp(x[b, v]) / sum[v](exp(x[b, v]))
L = -mean[b](sum[v](t[b, v] * log(p[b, v])))
output L""",
    "bce": """input x[i...]
target t[i...]
p[i] = 1 / (1 + exp(-x[i]))
L = -mean[i](t[i] * log(p[i]) + (1 - t[i]) * log(1 - p[i]))
output L""",
    "mean_loss": "input x[i...]\nL = mean[i](x[i])\noutput L",
    "logistic": "input x[b, i]\nparameter g\nL = sum[b, i](log(1 + exp(g * x[b, i])))\noutput L",
    "two": """input x[b, i]
parameter g[i]
a[b, i] = x[b, i] * g[i]
c[b, i] = tanh(x[b, i]) + g[i]
output a, c""",
    "outer": "input a[i], b[j]\ny[i, j] = a[i] * b[j]\noutput y",
    "swish": "input x[i...]\nparameter g\ny[i] = x[i] / (1 + exp(-g * x[i]))\noutput y",
    "across": "input x[b, i]\nparameter w[i, b]\ny[b, i] = x[b, i] * w[i, b] ** 2\noutput y",
    "fraction": "input x[b, i], u[b, i]\ny[b, i] = x[b, i] / (1 + u[b, i]**2) - u[b, i]\noutput y",
    "group": """input x[s, c, g, k...]
parameter w[c, g]
constant eps = 1e-5
mu[s, c] = mean[g, k](x[s, c, g, k])
v[s, c] = mean[g, k]((x[s, c, g, k] - mu[s, c])**2)
y[s, c, g, k] = w[c, g] * (x[s, c, g, k] - mu[s, c]) / sqrt(v[s, c] + eps)
output y""",
}
"""Layers beside the gallery's, one for each thing that a plan or a printer must be able to do."""
SIZES = {
    "b": (4,), "i": (3,), "o": (2,), "v": (5,), "j": (2,), "s": (4,), "c": (3,), "g": (2,), "k": (2, 2),
    "d": (3,), "e": (2,),
}  # fmt: skip


def layer_of(name: str):
    return from_text(OTHERS[name], name) if name in OTHERS else load(name)


@cache
def text_of(name: str, backend: str) -> str:
    return pipeline.emit(pipeline.derive(layer_of(name)), [backend])[0].text


@cache
def module_of(name: str, backend: str) -> ModuleType:
    folder = Path(tempfile.mkdtemp())
    path = folder / f"emitted_{backend}_{name}.py"
    path.write_text(text_of(name, backend), encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # torch.compile looks the module up
    spec.loader.exec_module(module)
    return module


def shape_of(tensor, sizes=SIZES) -> tuple[int, ...]:
    return tuple(length for index in tensor.indices for length in sizes[index.axis])
