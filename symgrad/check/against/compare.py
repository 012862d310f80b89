"""Run a kernel in all cases, and hold every result against the derived one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from symgrad.check.against.cases import Sampler, all_cases, first_cases
from symgrad.check.against.records import Array, Case, Data, Kernel, KernelFault, Outcome, Run
from symgrad.check.against.reference import Expected, Reference
from symgrad.errors import InputError
from symgrad.notation.layer import Layer

NO_DIGIT = 0.3
"""Where rounding explains a difference this large, relatively, a case tells nothing and is left out."""
LARGEST = {"float32": 1e30, "bfloat16": 1e30, "float16": 1e4}
"""Results that are larger are left out: the dtype ends soon after (float16 at 65504)."""
Say = Callable[[str], None]


@dataclass
class Results:
    """What came of all cases, as it comes.

    Attributes:
        outcomes: the comparisons.
        faults: cases in which the kernel raised or returned something else.
        conduct: what it did that it must not do.
        remarks: what was noticed, and is not wrong.
        silent: how many results of cases rounding leaves no digit of.
        runs: the numbers of the plain cases, for those who look for the mistake.
        sampler: what drew the numbers.
        cases: those that were run to the end.
    """

    outcomes: list[Outcome] = field(default_factory=list)
    faults: list[tuple[Case, str]] = field(default_factory=list)
    conduct: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    silent: int = 0
    runs: list[tuple[Data, Run]] = field(default_factory=list)
    sampler: Sampler | None = None
    cases: list[Case] = field(default_factory=list)


def run_all(layer: Layer, kernel: Kernel, reference: Reference, say: Say) -> Results:
    """Run every case that the kernel takes.

    Raises:
        InputError: it cannot be run at all, or does not return what the layer returns.
    """
    results = Results()
    every, ranks = _taken(layer, kernel, results)
    sampler = _sampler(layer, kernel, reference, ranks[0], every, results)
    cases = all_cases(layer, ranks, kernel.dtypes, kernel.fixed)
    results.sampler = sampler
    refused: set[str] = set()
    for number, case in enumerate(cases, start=1):
        say(f"case {number} of {len(cases)}: {described(case, layer)}")
        if case.dtype not in refused:
            _one(layer, kernel, reference, sampler, case, results, refused)
    return results


KINDS = {"": "", "positive": "positive numbers", "unit": "numbers between 0 and 1"}


def _taken(layer: Layer, kernel: Kernel, results: Results) -> tuple[str, list[tuple[int, ...]]]:
    """The kind of numbers, and the dimensions of a variadic axis, that the kernel takes.

    Raises:
        InputError: it takes none, or does not return what a layer returns.
    """
    found = {}
    for kind, words in KINDS.items():
        ranks, faults = _ranks(layer, kernel, Sampler(layer, kernel.fixed, every=kind))
        found[kind] = ranks, faults
        if ranks and not any(fault.on_purpose for _, fault in faults):
            results.remarks += [f"checked with {words} only: it refuses others"] if words else []
            break
    else:
        kind = max(found, key=lambda kind: len(found[kind][0]))
    ranks, faults = found[kind]
    for case, fault in found[""][1][:1]:
        if not ranks or (not fault.refusal and case == first_cases(layer)[0]):
            raise InputError(f"{kernel.what}: {fault} ({described(case, layer)}).", hint=_HINT)
    refused = [(case, fault) for case, fault in faults if fault.refusal and not fault.backward]
    results.remarks += [f"not checked with {_dimensions(layer, case)}: {fault}" for case, fault in refused]
    results.faults += [(case, str(fault)) for case, fault in faults if (case, fault) not in refused]
    return kind, ranks


def _ranks(
    layer: Layer, kernel: Kernel, sampler: Sampler
) -> tuple[list[tuple[int, ...]], list[tuple[Case, KernelFault]]]:
    """The dimensions of a variadic axis that the kernel takes, and what it said to others."""
    variadic = [axis.name for axis in layer.axes if axis.variadic]
    taken, faults = [], []
    for case in first_cases(layer):
        try:
            kernel.run(sampler.data(case))
            taken.append(case.lengths[variadic[0]] if variadic else ())
        except KernelFault as fault:
            faults.append((case, fault))
    return taken, faults


TARGETS = {
    "": "",
    "share": "targets between 0 and 1",
    "binary": "targets that are 0 or 1",
    "sign": "targets that are 1 or -1",
    "count": "targets that are counts",
}
"""Kinds of numbers that a kernel's targets may have to be: labels, mostly. The layer's own text does not say."""


def _sampler(
    layer: Layer, kernel: Kernel, reference: Reference, inner: tuple[int, ...], every: str, results: Results
) -> Sampler:
    """Draws targets for which their forward pass is the layer's; any numbers where there are none such."""
    first = Sampler(layer, kernel.fixed, every=every)
    if all(tensor.role != "target" for tensor in layer.tensors):
        return first
    cases = [case for case in first_cases(layer) if inner in case.lengths.values()][:1] or first_cases(layer)[:1]
    for kind, words in TARGETS.items():
        sampler = Sampler(layer, kernel.fixed, kind, every)
        datas = [sampler.data(replace(case, seed=seed)) for case in cases for seed in (0, 1, 2)]
        if all(_forward_holds(layer, kernel, reference, data) for data in datas):
            results.remarks += [f"checked with {words} only: with others its forward pass is another"] if words else []
            return sampler
    return first


def _forward_holds(layer: Layer, kernel: Kernel, reference: Reference, data: Data) -> bool:
    try:
        found = outcomes(data.case, kernel.run(data), reference.expected(data))
    except KernelFault:
        return False
    return all(outcome.passed for outcome in found if outcome.what in layer.outputs)


_HINT = "It must take the layer's tensors, and return its outputs and the gradients of its inputs and parameters."


def _dimensions(layer: Layer, case: Case) -> str:
    """X with 3 dimensions."""
    tensor = next(t for t in layer.tensors if any(layer.axis(i.axis).variadic for i in t.indices))
    count = sum(len(case.lengths[index.axis]) for index in tensor.indices)
    return f"{tensor.name} of {count} dimension{'s' if count != 1 else ''}"


def _one(
    layer: Layer,
    kernel: Kernel,
    reference: Reference,
    sampler: Sampler,
    case: Case,
    results: Results,
    refused: set[str],
) -> None:
    """One case; half precision that torch does not have for an operation is no fault of the kernel."""
    data = sampler.data(case)
    try:
        run = kernel.run(data)
    except KernelFault as fault:
        if case.dtype in ("float16", "bfloat16") and fault.refusal:
            refused.add(case.dtype)
            results.remarks.append(f"not checked in {case.dtype}: {fault}")
        elif fault.on_purpose:
            results.remarks.append(f"refused: {described(case, layer)}: {fault}")
        else:
            results.faults.append((case, str(fault)))
        return
    results.cases.append(case)
    results.runs += [(data, run)] if case.plain else []
    results.conduct += run.conduct
    results.remarks += run.remarks
    expected = reference.expected(data)
    for outcome in outcomes(case, run, expected):
        if outcome.limit > NO_DIGIT * outcome.scale > 0 or outcome.scale > LARGEST.get(case.dtype, np.inf):
            results.silent += 1
        else:
            results.outcomes.append(outcome)
    without = [n for n, g in run.gradients.items() if g is None]
    results.faults += [(case, f"backward returns None as the gradient of {n}") for n in without]


def outcomes(case: Case, run: Run, expected: Expected) -> Iterable[Outcome]:
    """A comparison for each output and gradient that was returned."""
    found = dict(run.outputs) | {f"d_{n}": g for n, g in run.gradients.items() if g is not None}
    for name, value in found.items():
        outcome = compared(name, case, value, expected.values[name], expected.limits[name])
        yield replace(outcome, own=expected.own.get(name, float("nan")))


def compared(name: str, case: Case, found: Array, expected: Array, limit: float) -> Outcome:
    """The worst difference, its place, and the largest value expected.

    Where the derived value is itself no number, nothing is asked; where theirs alone is none, the
    difference is infinite.
    """
    known = np.isfinite(expected)
    with np.errstate(all="ignore"):
        difference = np.abs(found - expected)
    difference = np.where(known, np.where(np.isfinite(found), difference, np.inf), 0.0)
    scale = float(np.max(np.abs(expected[known]), initial=0.0)) if np.ndim(expected) else float(np.abs(expected))
    place = tuple(int(n) for n in np.unravel_index(int(np.argmax(difference)), difference.shape)) if found.shape else ()
    return Outcome(
        name, case, float(difference[place]), limit, scale, place, float(found[place]), float(expected[place])
    )


def described(case: Case, layer: Layer) -> str:
    """A case in words: what is not ordinary about it, with the lengths of its axes."""
    words = [sizes(case, layer), case.dtype]
    words += [case.layout] if case.layout != "contiguous" else []
    words += [case.data] if case.data != "ordinary" else []
    words += ["upstream gradient of .sum()"] if case.upstream == "ones" else []
    words += ["other constants"] if case.constants != "default" else []
    words += [f"only {case.wanted} wants a gradient"] if case.wanted else []
    return ", ".join(words)


def sizes(case: Case, layer: Layer) -> str:
    """N_s = 3, N_c = 2, N_k = 2·3."""
    shown = [(axis.name, "·".join(map(str, case.lengths[axis.name])) or "1 (no dimension)") for axis in layer.axes]
    return ", ".join(f"N_{name} = {length}" for name, length in shown)
