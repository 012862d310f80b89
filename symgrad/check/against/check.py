"""A person's own kernel, checked: is it right, where is it wrong, and by which mistake."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from symgrad.algebra.terms import walk
from symgrad.check.against.cases import Sampler
from symgrad.check.against.compare import Results, described, run_all
from symgrad.check.against.conventions import at_kinks_only, between_slopes, has_kinks
from symgrad.check.against.explain import Seen, explain
from symgrad.check.against.forms import Form, definitions, derived_bodies, forms
from symgrad.check.against.loading import FORM, Source
from symgrad.check.against.numpy_pair import NumpyPair
from symgrad.check.against.own_forward import judge_own_forward
from symgrad.check.against.pattern import CONSTANTS, MATHEMATICS, findings, where
from symgrad.check.against.records import Case, Finding, Kernel, KernelFault, Order, Outcome, Verdict
from symgrad.check.against.reference import Reference
from symgrad.errors import InputError
from symgrad.notation.layer import Layer
from symgrad.plan.records import KernelPlan
from symgrad.prove.study import Study
from symgrad.prove.verdict import Prover

MOST_NODES = 600
"""Layers with more nodes in their formulas get no search for the mistake: it would take minutes."""


def kernel_of(source: Source, layer: Layer) -> Kernel:
    """The kernel that a person named.

    Raises:
        InputError: it is nothing that can be run, or does not take the layer's tensors.
    """
    if len(source.objects) == 2:
        return NumpyPair(layer, *source.objects, f"{' and '.join(source.names)} of {source.path.name}", source.path)
    (found,) = source.objects
    name = source.names[0] if source.names else source.path.name
    if find_spec("torch") is not None:
        import torch

        from symgrad.check.against.torch_kernel import torch_kernel

        is_class = isinstance(found, type)
        if is_class and issubclass(found, (torch.autograd.Function, torch.nn.Module)):
            return torch_kernel(layer, _made(found, name), name, source.path)
        if isinstance(found, torch.nn.Module):
            return torch_kernel(layer, found, name, source.path)
    forward, backward = (getattr(found, part, None) for part in ("forward", "backward"))
    if callable(forward) and callable(backward):
        held = _instance(found)
        what = f"{name}, forward and backward" + (f" of {source.path.name}" if source.names else "")
        return NumpyPair(layer, held.forward, held.backward, what, source.path)
    return _function(layer, found, name, source)


def _function(layer: Layer, found: Any, name: str, source: Source) -> Kernel:
    """A torch function; anything else cannot be run."""
    if not callable(found) or isinstance(found, ModuleType):
        raise InputError(f"{name} is neither a function nor has it both forward and backward.", hint=FORM)
    if find_spec("torch") is None:
        hint = "Give FILE.py:FORWARD,BACKWARD for two NumPy functions; for a torch function install torch."
        raise InputError(f"{name} is one function, which only torch could differentiate.", hint=hint)
    from symgrad.check.against.torch_kernel import torch_kernel

    return torch_kernel(layer, found, name, source.path)


def _made(found: Any, name: str) -> Any:
    """An autograd.Function as it is; a module made without arguments."""
    import torch

    if issubclass(found, torch.autograd.Function):
        return found
    try:
        return found()
    except Exception as error:
        hint = "Make one in the file and name it, or name a function that takes the layer's tensors."
        raise InputError(f"the module {name} cannot be made without arguments: {error}.", hint=hint) from None


def _instance(found: Any) -> Any:
    """The object whose forward and backward are called; of a class with `self`, one made without arguments."""
    if not isinstance(found, type):
        return found
    if all(isinstance(vars(found).get(part), (staticmethod, classmethod)) for part in ("forward", "backward")):
        return found
    try:
        return found()
    except Exception as error:
        hint = "Make one in the file and name it."
        raise InputError(f"{found.__name__} cannot be made without arguments: {error}.", hint=hint) from None


def check_kernel_against(
    study: Study, plan: KernelPlan, emitted: ModuleType, kernel: Kernel, say: Callable[[str], None]
) -> Verdict:
    """Run a kernel in all cases, and say what is wrong with it.

    Args:
        study: the layer with its derived gradients.
        plan: what the emitted kernels compute: one of the forms in which mistakes are looked for.
        emitted: the layer's own NumPy kernel, whose float64 values are the reference.
        kernel: theirs.
        say: takes progress.

    Raises:
        InputError: it cannot be run at all.
    """
    layer = study.layer
    right = forms(study, plan)
    planned = right[0].bodies
    complete = {f"d_{tensor.name}" for tensor in layer.differentiable} <= {name for name, _, _ in planned}
    reference = Reference(layer, emitted, planned if complete else derived_bodies(study))
    results = run_all(layer, kernel, reference, say)
    outcomes, conventions = _without_conventions(layer, kernel, reference, results)
    found = findings(layer, outcomes)
    found = _explained(study, right, found, results, say)
    checked = _orders(kernel, results, found, say)
    return Verdict(
        layer.name, kernel.what, tuple(outcomes), len(results.cases), tuple(found), _faults(layer, results),
        tuple(dict.fromkeys(results.conduct)), conventions, checked,
        tuple(dict.fromkeys((*kernel.remarks, *results.remarks))), _own_forward(layer, found, results),
    )  # fmt: skip


def _own_forward(layer: Layer, found: Sequence[Finding], results: Results) -> str:
    """Whether the gradients belong to their own forward pass, where its mistake is known."""
    wrong = [f.explanation for f in found if f.what in layer.outputs and f.explanation is not None]
    complete = [(data, run) for data, run in results.runs if all(g is not None for g in run.gradients.values())]
    differing = [f.what.removeprefix("d_") for f in found if f.what not in layer.outputs]
    return judge_own_forward(layer, wrong[0], differing, complete) if wrong else ""


def _faults(layer: Layer, results: Results) -> tuple[str, ...]:
    """Faults, each once, with the cases in which it comes."""
    kinds: dict[str, list[tuple[Case, str]]] = {}
    for case, text in results.faults:
        kinds.setdefault(text.split(":")[0], []).append((case, text))
    said = []
    for found in kinds.values():
        failing = [case for case, _ in found]
        others = [case for case in results.cases if case not in failing]
        case, text = found[0]
        said.append(f"{text}; {where(layer, failing, others)}, as {described(case, layer)}")
    return tuple(said)


def _without_conventions(
    layer: Layer, kernel: Kernel, reference: Reference, results: Results
) -> tuple[list[Outcome], tuple[str, ...]]:
    """The comparisons without gradients that differ only where there is no derivative; and these in words."""
    if not has_kinks(layer) or results.sampler is None:
        return results.outcomes, ()
    kept, said = list(results.outcomes), []
    for tensor in layer.differentiable:
        wrong = [o for o in results.outcomes if o.what == f"d_{tensor.name}" and not o.passed]
        if wrong and at_kinks_only(wrong) and all(_is_convention(o, kernel, reference, results.sampler) for o in wrong):
            kept = [o for o in kept if o not in wrong]
            worst = wrong[0]
            said.append(f"d_{tensor.name} is {worst.theirs:.6g} where symgrad, as PyTorch, takes {worst.derived:.6g}")
    return kept, tuple(said)


def _is_convention(outcome: Outcome, kernel: Kernel, reference: Reference, sampler: Sampler) -> bool:
    data = sampler.data(outcome.case)
    try:
        theirs = kernel.run(data).gradients[outcome.what.removeprefix("d_")]
    except KernelFault:
        return False
    return between_slopes(reference, data, outcome.what, theirs)


def _explained(
    study: Study, right: Sequence[Form], found: list[Finding], results: Results, say: Callable[[str], None]
) -> list[Finding]:
    """The findings with the mistakes that explain them; where the forward pass is wrong, that one's only."""
    layer = study.layer
    outputs = [f for f in found if f.what in layer.outputs and f.kind in (MATHEMATICS, CONSTANTS)]
    prover = Prover(layer, study.gradients)
    explained = []
    for finding in found:
        if finding.kind not in (MATHEMATICS, CONSTANTS) or (outputs and finding not in outputs) or _large(right):
            explained.append(finding)
            continue
        say(f"{finding.what}: trying the usual mistakes")
        ways = [Form("the forward pass", definitions(layer))] if finding in outputs else right
        search = explain(layer, ways, finding.what, _seen(finding, results), prover, say)
        explained.append(replace(finding, explanation=search.explanation, tried=search.tried))
    return explained


def _large(right: Sequence[Form]) -> bool:
    return max((sum(1 for body in form.bodies for _ in walk(body[2])) for form in right), default=0) > MOST_NODES


def _seen(finding: Finding, results: Results) -> list[Seen]:
    """Their numbers in plain cases, the one that shows the fault best first."""
    name = finding.what.removeprefix("d_") if finding.what.startswith("d_") else finding.what
    found = []
    for data, run in results.runs:
        value = run.gradients.get(name) if finding.what.startswith("d_") else run.outputs.get(name)
        if value is not None:
            found.append((data.case != finding.worst.case, Seen(data, value)))
    return [seen for _, seen in sorted(found, key=lambda pair: pair[0])]


def _orders(
    kernel: Kernel, results: Results, found: Sequence[Finding], say: Callable[[str], None]
) -> tuple[Order, ...]:
    """Torch's own checks, for a torch kernel."""
    sampler = results.sampler
    if not hasattr(kernel, "outputs") or sampler is None or not results.runs:
        return ()
    from symgrad.check.against.second_order import orders
    from symgrad.check.against.torch_kernel import TorchKernel

    assert isinstance(kernel, TorchKernel)
    say("gradcheck and gradgradcheck")
    wrong = any(f.kind in (MATHEMATICS, CONSTANTS) and f.what.startswith("d_") for f in found)
    return orders(kernel, sampler, results.runs[0][0].case, not wrong)
