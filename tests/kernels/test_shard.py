"""Functions sharded over processes of torch.distributed against the same functions of the whole batch."""

from __future__ import annotations

import re
import tempfile
from functools import cache
from pathlib import Path

import pytest
from emitted import shape_of
from random_layers import random_layer
from shard_processes import Processes, loaded

from symgrad import pipeline
from symgrad.cli import main
from symgrad.errors import InputError, UnsupportedError
from symgrad.notation.library import from_text, load
from symgrad.plan.saving import Saving

torch = pytest.importorskip("torch")

SIZES = dict.fromkeys("bscvdiojeghnm", (3,)) | {"k": (2, 2), "dist": (3,), "ddp": (2,)}
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
    "renamed": """input x[s, c]
constant eps = 0.5
u[c] = sum[a, b](eps + x[a, b])**2 + mean[s](x[s, c]**2)
L = sum[c](u[c] * mean[s](x[s, c])) - mean[s, c](tanh(x[s, c]))
output L""",
    "pairs": "input x[s, c], u[r=s, c]\ny[s, r] = sum[c](x[s, c] * u[r, c])\noutput y",
    "places": "input x[s, c]\ny[s, c] = where(s < 2, x[s, c], 0)\noutput y",
    "inside": "input x[s, c], u[c]\nlabel t[c] in c\ny[s, c] = x[s, c] * u[t[c]] * where(size[s] < s, 1, 2)\noutput y",
    "product": "input x[s, c]\ny[c] = prod[s](x[s, c])\noutput y",
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
        self.sizes = {a.name: SIZES[a.name] if a.variadic else SIZES[a.name][:1] for a in self.layer.axes}
        self.sizes[axis] = (sum(lengths),)
        self.random = torch.Generator().manual_seed(seed)
        self.tensors = [self._tensor(t).to(torch.int64 if t.role == "label" else dtype) for t in self.layer.tensors]
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
    ("renamed", "c", "reduce reduce", "reduce"),
]
"""A layer, the sharded axis, and the collectives of the forward and of the backward pass; "parameters" stands for
the one that only ddp=False needs, "upstream" for the one that only ddp=True needs."""


@pytest.mark.parametrize(("name", "axis", "forward", "backward"), LAYERS)
@pytest.mark.parametrize(("number", "ddp"), [(1, True), (2, False), (3, True), (4, False), (4, True)])
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


@pytest.mark.parametrize("seed", [1, 2, 5, 7, 101, 104])
def test_parts_of_random_layers(seed, processes, tmp_path):
    name = f"random_{seed}"
    OWN[name] = random_layer(seed, 1 + 2 * (seed > 100))
    for number, axis in enumerate(layer_of(name).axes):
        case = Case(name, axis.name, SHARDS[4 - number], processes, tmp_path, ddp=bool(seed % 2))
        assert max(case.errors().values()) < 1e-12, (axis.name, case.errors())


def test_what_is_not_saved_is_exchanged_again(processes, tmp_path):
    """A mean and a variance that the backward pass computes again, from the count that it has been given."""
    found = pipeline.emit_sharded(study_of("batch_norm"), "s", saving=Saving(recompute=frozenset(("mu", "var"))))
    case = Case("batch_norm", "s", (4, 0, 3), processes, tmp_path, change=lambda _: found.text)
    assert max(case.errors().values()) < 1e-12
    assert case.collectives() == (("all_gather",), ("all_reduce",) * 2)


def test_the_rule_of_merging_is_proved():
    """The rule of `_merged`, for parts of one length: mean and squares of the whole from those of the parts."""
    text = """input x[r, i]
part[r] = mean[i](x[r, i])
squares[r] = sum[i]((x[r, i] - part[r])**2)
m = mean[r, i](x[r, i])
q = sum[r, i]((x[r, i] - m)**2)
output q"""
    claims = ["m = sum[r](size[i] * part[r]) / sum[r](size[i])", "q = sum[r](squares[r] + size[i] * (part[r] - m)**2)"]
    found = pipeline.prove(pipeline.derive(from_text(text, "parts")), [*claims, "q = sum[r](squares[r])"])
    assert [proof.verdict for _, proof in found] == ["proved", "proved", "refuted"]


def test_it_sees_weights_by_processes(processes, tmp_path):
    """Means of parts of different lengths must be weighted by their lengths; so must all that is divided by them."""

    def by_processes(text):
        changed = text.replace("mean = (counts * means).sum(0) / counts.sum(0)", "mean = means.mean(0)")
        assert changed != text
        return changed

    def by_its_own(text):
        changed = text.replace("n_all_s = counts.sum(0)", "n_all_s = counts[0] * len(counts)")
        changed = changed.replace("n_all_s = part_n_s.sum(0)", "n_all_s = part_n_s[0] * len(part_n_s)")
        assert changed != text
        return changed

    for change in (by_processes, by_its_own):
        equal = Case("batch_norm", "s", (3, 3), processes, tmp_path, change=change)
        assert max(equal.errors().values()) < 1e-12
        unequal = Case("batch_norm", "s", (4, 3), processes, tmp_path, change=change)
        assert min(unequal.errors()[name] for name in ("y", "d_x")) > 1e-4


def test_it_sees_gradients_that_are_not_added_up(processes, tmp_path):
    def kept(text):
        return text.replace('_reduced(group, "SUM", d_w, d_beta)', "d_w, d_beta")

    right = Case("layer_norm", "b", (4, 3), processes, tmp_path)
    assert max(right.errors().values()) < 1e-12
    wrong = Case("layer_norm", "b", (4, 3), processes, tmp_path, change=kept)
    assert wrong.errors()["d_w"] > 1e-2


def test_every_process_has_the_same_bits(processes, tmp_path):
    for name, axis in (("batch_norm_sigmoid_mse", "s"), ("logsumexp", "v"), ("layer_norm", "b")):
        case = Case(name, axis, (4, 3, 1, 6), processes, tmp_path)
        for what in ("outputs", "gradients"):
            for values in zip(*(answer[what] for answer in case.answers), strict=True):
                if values[0] is not None and len({value.shape for value in values}) == 1:
                    assert all(torch.equal(values[0], value) for value in values[1:])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_other_dtypes(dtype, processes, tmp_path):
    case = Case("batch_norm_sigmoid_mse", "s", (4, 0, 3), processes, tmp_path, dtype=dtype)
    assert max(case.errors().values()) < (3e-6 if dtype == torch.float32 else 3e-2)
    assert all(g.dtype == dtype for answer in case.answers for g in answer["gradients"] if g is not None)


def test_far_from_zero_float32(processes, tmp_path):
    """Mean 1e4, standard deviation 1: the merged moments lose nothing."""

    def parts(x, lengths):
        return [((p, torch.ones(3), torch.zeros(3)), (torch.ones_like(p),)) for p in x.split(lengths)]

    x = (torch.randn(40, 3, generator=torch.Generator().manual_seed(0)) + 1e4).float()
    path = tmp_path / "far.py"
    path.write_text(text_of("batch_norm", "s"), encoding="utf-8")
    answers = processes.run(path, "batch_norm", parts(x, (3, 30, 0, 7)))
    exact = x.double()
    wanted = (exact - exact.mean(0)) / torch.sqrt(exact.var(0, unbiased=False) + 1e-5)
    found = torch.cat([answer["outputs"][0] for answer in answers])
    assert float((found - wanted).abs().max()) < 2e-6


def test_only_what_is_wanted(processes, tmp_path):
    """Gradients that nobody asks for are not computed, nor exchanged."""
    path = tmp_path / "some.py"
    path.write_text(text_of("layer_norm", "d"), encoding="utf-8")
    x, w = torch.rand(2, 4, dtype=torch.float64), torch.rand(4, dtype=torch.float64)
    parts = [((p, q, q), (None,)) for p, q in zip(x.split((1, 3), 1), w.split((1, 3)), strict=True)]
    answers = processes.run(path, "layer_norm", parts, wanted=[False, True, True])
    assert [answer["backward"] for answer in answers] == [[], []]
    assert all(answer["gradients"][0] is None and answer["gradients"][1] is not None for answer in answers)


def in_distributed_data_parallel(name, processes, folder, lengths):
    """The parameters' gradients in DistributedDataParallel, and those of the whole batch in one process."""
    random = torch.Generator().manual_seed(1)
    count = sum(lengths)
    x = torch.randn(count, 5, generator=random, dtype=torch.float64)
    targets = torch.rand(count, 4, generator=random, dtype=torch.float64)
    path = folder / f"{name}.py"
    path.write_text(text_of(name, "s"), encoding="utf-8")
    parts = list(zip(x.split(lengths), targets.split(lengths), [4] * len(lengths), strict=True))
    answers = processes.run(path, name, parts, work="network")
    torch.manual_seed(0)
    first = torch.nn.Linear(5, 4, dtype=torch.float64)
    w, beta = (torch.nn.Parameter(torch.rand(4, dtype=torch.float64)) for _ in range(2))
    y = torch.nn.functional.batch_norm(first(x), None, None, w, beta, True, 0.1, 1e-5)
    if name == "batch_norm":  # each process has a loss of its own, and the mean of them counts
        loss = (y * targets).sum() / len(lengths)
    else:
        loss = torch.nn.functional.mse_loss(torch.sigmoid(y), targets)
    wanted = torch.autograd.grad(loss, [w, beta, *first.parameters()])
    return answers, wanted, loss.detach()


@pytest.mark.parametrize("name", ["batch_norm", "batch_norm_sigmoid_mse"])
@pytest.mark.parametrize("lengths", [(3, 3), (5, 2), (1, 6, 2), (4, 0, 1, 3)])
def test_in_distributed_data_parallel(name, lengths, processes, tmp_path):
    answers, wanted, loss = in_distributed_data_parallel(name, processes, tmp_path, lengths)
    for answer in answers:
        if name != "batch_norm":
            assert torch.allclose(answer["loss"], loss, rtol=1e-12)
        for found, right in zip(answer["gradients"], wanted, strict=True):
            assert worst([found], [right], wanted[2]) < 1e-12


def test_the_documents_example(processes, tmp_path):
    """docs/distributed.md: the command, then the code in each of four processes."""
    text = (Path(__file__).parents[2] / "docs" / "distributed.md").read_text(encoding="utf-8")
    command = re.search(r"^python -m symgrad (.*)$", text, re.MULTILINE)[1]
    assert main(command.replace("fused", str(tmp_path / "fused")).split()) == 0
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    answers = processes.run(tmp_path, code, [None] * 4, work="example")
    x, t = (torch.cat(parts) for parts in zip(*(answer["given"] for answer in answers), strict=True))
    assert len(x) == 2 + 3 + 4 + 5
    w, beta, weight, bias = (parameter.requires_grad_() for parameter in answers[0]["parameters"])
    y = torch.nn.functional.batch_norm(x @ weight.T + bias, None, None, w, beta, True, 0.1, 1e-5)
    loss = torch.nn.functional.mse_loss(torch.sigmoid(y), t)
    wanted = torch.autograd.grad(loss, [w, beta, weight, bias])
    for answer in answers:
        assert torch.allclose(answer["loss"], loss, rtol=1e-5)
        for found, right in zip(answer["gradients"], wanted, strict=True):
            assert torch.allclose(found, right, rtol=1e-4, atol=1e-6)


def test_the_documents_numbers_of_exchanges():
    text = (Path(__file__).parents[2] / "docs" / "distributed.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)`, (\w+) \| (\d) \| (\d) \|$", text, re.MULTILINE)
    assert len(rows) == 7
    for name, axis, forward, backward in rows:
        words = f"Exchanges: {forward} in the forward pass, {backward} in the backward pass"
        assert words in " ".join(text_of(name, axis).split())


def test_second_derivatives_are_refused(processes, tmp_path):
    path = tmp_path / "second.py"
    path.write_text(text_of("batch_norm", "s"), encoding="utf-8")
    parts = [((torch.rand(2, 3), torch.rand(3), torch.rand(3)), (None,)) for _ in range(2)]
    with pytest.raises(RuntimeError, match="has first derivatives only"):
        processes.run(path, "batch_norm", parts, second=True)


def test_without_torch_distributed(tmp_path):
    path = tmp_path / "alone.py"
    path.write_text(text_of("batch_norm", "s"), encoding="utf-8")
    given = [torch.rand(4, 3, dtype=torch.float64), *torch.rand(2, 3, dtype=torch.float64)]
    alone = [v.clone().requires_grad_() for v in given]
    assert torch.autograd.gradcheck(loaded(path).batch_norm, alone)
    assert torch.allclose(loaded(path).batch_norm(*given), whole_of("batch_norm")(*given), rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "axis", "reason"),
    [
        ("cumsum", "i", "depends on places along i"),
        ("conv1d", "h", "shifted entries along it"),
        ("max_pool", "h", "shifted entries along it"),
        ("max_pool", "k", "its length is declared"),
        ("max_pool", "i", "no tensor has it"),
        ("embedding", "v", "the label t picks entries along it"),
        ("causal_attention", "n", "combines each entry along n with all others"),
        ("pairs", "s", "combines each entry along s with all others"),
        ("places", "s", "depends on places along s"),
        ("inside", "s", "depends on places along s"),
        ("product", "s", "a product along s"),
    ],
)
def test_what_cannot_be_sharded(name, axis, reason):
    with pytest.raises(UnsupportedError, match=reason):
        text_of(name, axis)


def test_an_axis_that_is_not_there():
    with pytest.raises(InputError, match=r"no axis 'z'.\nIts axes are s, c, k"):
        text_of("batch_norm", "z")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((torch.rand(2), torch.rand(3), torch.rand(3)), "at least 2 dimensions, not 1"),
        ((torch.rand(2, 0), torch.rand(0), torch.rand(0)), "the dimension c is empty"),
        ((torch.rand(2, 3), torch.rand(2), torch.rand(3)), r"w\[c\] must have the shape"),
    ],
)
def test_wrong_arguments(given, message, tmp_path):
    path = tmp_path / "wrong.py"
    path.write_text(text_of("batch_norm", "s"), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        loaded(path).batch_norm(*given)
