"""Functions sharded over processes of torch.distributed against the same functions of the whole batch."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import pytest
from emitted import shape_of
from shard_processes import Processes, loaded

from symgrad import pipeline
from symgrad.errors import InputError, UnsupportedError
from symgrad.notation.library import from_text, load

torch = pytest.importorskip("torch")

SIZES = {name: (3,) for name in "bscvdiojeghnm"} | {"k": (2, 2), "dist": (3,), "ddp": (2,)}
SHARDS = {1: (7,), 2: (4, 3), 3: (2, 5, 0), 4: (1, 0, 4, 2)}
"""For each number of processes the lengths of their parts: equal, unequal, and empty ones."""


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    found = Processes(tmp_path_factory.mktemp("processes"))
    yield found
    found.close()


OWN = {
    "largest": "input x[s, c]\nparameter w[c]\ny[c] = max[s](x[s, c] * w[c])\noutput y",
    "both_ends": """input x[s, c]
high[c] = max[s](x[s, c])
low[c] = min[s](x[s, c])
n[c] = sum[s](x[s, c]**2)
y[s, c] = (x[s, c] - low[c]) / (high[c] - low[c] + n[c])
output y, low""",
    "two_means": """input x[s, c]
parameter g[c]
m[c] = mean[s](x[s, c])
v[c] = mean[s]((x[s, c] - m[c])**2)
u[s, c] = x[s, c] * g[c] / (1 + v[c])
n[c] = mean[s](u[s, c])
q[c] = sum[s]((u[s, c] - n[c])**2)
r[s, c] = size[s] * u[s, c] / sqrt(q[c] + 1) + m[c] / size[s]
output r""",
    "only_count": "input x[s, c]\ny[s, c] = x[s, c] / sqrt(size[s])\noutput y",
    "penalty": "input x[s, c]\nparameter w[c]\nL = mean[s, c](w[c] * x[s, c]**2) + sum[c](w[c]**2)\noutput L",
    "names": """input group[dist, ddp]
constant counts = 0.5
part_n_dist[ddp] = mean[dist](group[dist, ddp])
copies[dist, ddp] = group[dist, ddp] * part_n_dist[ddp] + counts
output copies""",
}
"""Layers for what the gallery does not have."""


@cache
def layer_of(name):
    return from_text(OWN[name], name) if name in OWN else load(name)


@cache
def study_of(name):
    return pipeline.derive(layer_of(name))


@cache
def text_of(name, axis):
    return pipeline.emit_sharded(study_of(name), axis).text


@cache
def whole_of(name):
    """The function that is not sharded."""
    path = Path(tempfile.mkdtemp()) / f"{name}.py"
    path.write_text(pipeline.emit(study_of(name), ["torch"])[0].text, encoding="utf-8")
    return getattr(loaded(path), name)


def cut(tensor, indices, axis, lengths, sizes):
    """The parts of a tensor along its sharded dimension; the same tensor for all where it has none."""
    axes = [index.axis for index in indices]
    if axis not in axes:
        return [tensor for _ in lengths]
    place = sum(len(sizes[each]) for each in axes[: axes.index(axis)])
    return list(tensor.split(lengths, dim=place))


class Case:
    """A layer on a whole batch, and on parts of it in processes."""

    def __init__(self, name, axis, lengths, processes, folder, ddp=False, seed=0, dtype=torch.float64, change=str):
        self.layer, self.axis, self.lengths, self.ddp = layer_of(name), axis, lengths, ddp
        self.sizes = {**SIZES, axis: (sum(lengths),)}
        self.random = torch.Generator().manual_seed(seed)
        self.tensors = [self._tensor(t).to(t.role == "label" and torch.int64 or dtype) for t in self.layer.tensors]
        leaves = [t.clone().double().requires_grad_() if t.is_floating_point() else t for t in self.tensors]
        outputs = whole_of(name)(*leaves)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        self.cotangents = [torch.randn(y.shape, generator=self.random, dtype=y.dtype) for y in outputs]
        roles = [t.role in ("input", "parameter") for t in self.layer.tensors]
        needing = [leaf for leaf, role in zip(leaves, roles, strict=True) if role]
        found = iter(torch.autograd.grad(outputs, needing, self.cotangents))
        self.gradients = [next(found) if role else None for role in roles]
        self.outputs = [y.detach() for y in outputs]
        path = folder / f"{name}_{axis}.py"
        path.write_text(change(text_of(name, axis)), encoding="utf-8")
        self.answers = processes.run(path, name, list(self._parts(dtype)), ddp=ddp, wanted=roles)

    def _tensor(self, tensor):
        shape = shape_of(tensor, self.sizes)
        if tensor.role == "label":
            return torch.randint(0, self.sizes[tensor.into][0], shape, generator=self.random)
        return torch.rand(shape, generator=self.random, dtype=torch.float64) * 2 - 0.7

    def _parts(self, dtype):
        """The arguments of each process: its part of each tensor, and of each upstream gradient."""
        tensors = [self._cut(v, t.indices) for t, v in zip(self.layer.tensors, self.tensors, strict=True)]
        indices = [self.layer.entry(name).indices for name in self.layer.outputs]
        cotangents = [self._upstream(v.to(dtype), i) for v, i in zip(self.cotangents, indices, strict=True)]
        return zip(zip(*tensors, strict=True), zip(*cotangents, strict=True), strict=True)

    def _upstream(self, cotangent, indices):
        """Each process's upstream gradient; with ddp an array that all have gets a part of it from each loss."""
        parts = self._cut(cotangent, indices)
        if not self.ddp or self.layer.scalar_output or self._is_cut(indices):
            return parts
        given = [torch.randn(cotangent.shape, generator=self.random, dtype=cotangent.dtype) for _ in parts[1:]]
        return [cotangent - sum(given), *given]

    def _is_cut(self, indices):
        return any(index.axis == self.axis for index in indices)

    def _cut(self, tensor, indices):
        return cut(tensor, indices, self.axis, self.lengths, self.sizes)

    def errors(self):
        """For each output and gradient how far the processes are from the whole, relative to its largest entry."""
        found = {}
        for place, name in enumerate(self.layer.outputs):
            indices = self.layer.entry(name).indices
            wanted = self._cut(self.outputs[place], indices)
            found[name] = worst([answer["outputs"][place] for answer in self.answers], wanted, self.outputs[place])
        count = len(self.lengths) if self.ddp and self.layer.scalar_output else 1
        for place, tensor in enumerate(self.layer.tensors):
            if self.gradients[place] is None:
                continue
            whole, parts = self.gradients[place] * count, [answer["gradients"][place] for answer in self.answers]
            if self.ddp and not self._is_cut(tensor.indices):
                parts = [sum(parts)]
            wanted = self._cut(whole, tensor.indices)[: len(parts)]
            found[f"d_{tensor.name}"] = worst(parts, wanted, whole)
        return found

    def collectives(self):
        """The names of the collectives of the forward and of the backward pass; all processes agree."""
        found = {(tuple(answer["forward"]), tuple(answer["backward"])) for answer in self.answers}
        assert len(found) == 1
        return found.pop()


def worst(parts, wanted, whole):
    """The largest difference between parts and what they should be, relative to the largest entry of the whole."""
    differences = [float((a - b).abs().max()) if a.numel() else 0.0 for a, b in zip(parts, wanted, strict=True)]
    assert all(part.shape == right.shape for part, right in zip(parts, wanted, strict=True))
    return max(differences) / max(float(whole.abs().max()), 1e-300)


LAYERS = [
    ("batch_norm_sigmoid_mse", "s", "gather reduce", ""),
    ("batch_norm", "s", "gather", "reduce"),
    ("softmax", "v", "reduce reduce", "reduce"),
    ("softmax", "b", "", ""),
    ("logsumexp", "v", "reduce reduce", "upstream"),
    ("cross_entropy", "b", "reduce", ""),
    ("cross_entropy", "v", "reduce reduce reduce", ""),
    ("cross_entropy_labels", "b", "reduce", ""),
    ("layer_norm", "b", "", "parameters"),
    ("layer_norm", "d", "gather", "reduce"),
    ("rms_norm", "d", "reduce", "reduce"),
    ("group_norm", "s", "", "parameters"),
    ("linear", "b", "", "parameters"),
    ("linear", "i", "reduce", "upstream"),
    ("embedding", "b", "", "parameters"),
    ("mlp_classifier", "b", "reduce", "parameters"),
    ("attention", "m", "reduce reduce reduce", "upstream reduce parameters"),
    ("mse", "i", "reduce", ""),
    ("largest", "s", "reduce", "upstream reduce parameters"),
    ("both_ends", "s", "gather", "upstream reduce"),
    ("two_means", "s", "gather gather", "reduce reduce"),
    ("only_count", "s", "reduce", ""),
    ("penalty", "s", "reduce", ""),
    ("weight_norm", "i", "reduce", "reduce"),
    ("names", "dist", "reduce", "reduce"),
]
"""A layer, the sharded axis, and the collectives of the forward and of the backward pass; "parameters" stands for
the one that only ddp=False needs, "upstream" for the one that only ddp=True needs."""


@pytest.mark.parametrize(("name", "axis", "forward", "backward"), LAYERS)
@pytest.mark.parametrize("number", SHARDS)
@pytest.mark.parametrize("ddp", [False, True])
def test_parts_give_the_whole(name, axis, forward, backward, number, ddp, processes, tmp_path):
    case = Case(name, axis, SHARDS[number], processes, tmp_path, ddp)
    assert max(case.errors().values()) < 1e-12, case.errors()
    if number > 1:
        names = {"gather": "all_gather", "reduce": "all_reduce"}
        names |= {"upstream": "all_reduce"} if ddp else {"parameters": "all_reduce"}
        expected = [[names[each] for each in part.split() if each in names] for part in (forward, backward)]
        assert case.collectives() == tuple(map(tuple, expected))
    else:
        assert case.collectives() == ((), ())
