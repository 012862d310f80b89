"""Run a kernel in all cases, and hold every result against the derived one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from symgrad.check.against.cases import Sampler, all_cases, first_cases
from symgrad.check.against.records import Array, Case, Kernel, KernelFault, Outcome, Run
from symgrad.check.against.reference import Expected, Reference
from symgrad.errors import InputError
from symgrad.notation.layer import Layer

NO_DIGIT = 0.3
"""Where rounding explains a difference this large, relatively, a case tells nothing and is left out."""
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
    """

    outcomes: list[Outcome] = field(default_factory=list)
    faults: list[tuple[Case, str]] = field(default_factory=list)
    conduct: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    silent: int = 0


def run_all(layer: Layer, kernel: Kernel, reference: Reference, say: Say) -> Results:
    """Run every case that the kernel takes.

    Raises:
        InputError: it cannot be run at all, or does not return what the layer returns.
    """
    sampler, results = Sampler(layer, kernel.fixed), Results()
    ranks = _ranks(layer, kernel, sampler, results)
    cases = all_cases(layer, ranks, kernel.dtypes, kernel.fixed)
    refused: set[str] = set()
    for number, case in enumerate(cases, start=1):
        say(f"case {number} of {len(cases)}: {described(case, layer)}")
        if case.dtype not in refused:
            _one(layer, kernel, reference, sampler, case, results, refused)
    return results


def _ranks(layer: Layer, kernel: Kernel, sampler: Sampler, results: Results) -> list[tuple[int, ...]]:
    """The dimensions of a variadic axis that the kernel takes."""
    variadic = [axis.name for axis in layer.axes if axis.variadic]
    taken, first = [], ""
    for case in first_cases(layer):
        inner = case.lengths[variadic[0]] if variadic else ()
        try:
            kernel.run(sampler.data(case))
            taken.append(inner)
        except KernelFault as fault:
            if not fault.refusal and not first:
                first = str(fault)
                break
            first = first or f"{fault} ({described(case, layer)})"
            results.remarks.append(f"not checked with {_dimensions(layer, case)}: {fault}")
    if not taken:
        raise InputError(f"{kernel.what}: {first}.", hint=_HINT)
    return taken


_HINT = "It must take the layer's tensors, and return its outputs and the gradients of its inputs and parameters."


def _dimensions(layer: Layer, case: Case) -> str:
    """x with 3 dimensions."""
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
        else:
            results.faults.append((case, str(fault)))
        return
    results.conduct += run.conduct
    results.remarks += run.remarks
    expected = reference.expected(data)
    for outcome in outcomes(case, run, expected):
        if outcome.limit > NO_DIGIT * outcome.scale > 0:
            results.silent += 1
        else:
            results.outcomes.append(outcome)
    results.faults += [(case, f"no gradient (None) for {n}") for n, g in run.gradients.items() if g is None]


def outcomes(case: Case, run: Run, expected: Expected) -> Iterable[Outcome]:
    """A comparison for each output and gradient that was returned."""
    found = dict(run.outputs) | {f"d_{n}": g for n, g in run.gradients.items() if g is not None}
    for name, value in found.items():
        yield compared(name, case, value, expected.values[name], expected.limits[name])


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
    shown = [
        (axis.name, "·".join(map(str, case.lengths[axis.name])) or "1 (no dimension)")
        for axis in layer.axes
    ]
    return ", ".join(f"N_{name} = {length}" for name, length in shown)
