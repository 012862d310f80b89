"""The pipeline, top to bottom: one record on each arrow.

    text --load--> Layer --derive--> Study --make_plan--> KernelPlan --render--> Rendered
                     |                 |                                  |
                     +---- claims -----+--> Proof                         +--check--> Report

Only what is proved is planned, and only what is planned is emitted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from symgrad.algebra.terms import Term, walk
from symgrad.check.against.check import check_kernel_against, kernel_of
from symgrad.check.against.loading import load_kernel_file
from symgrad.check.against.records import Verdict
from symgrad.check.kernels import CHECKED, check_kernel, load_kernel, sizes_of
from symgrad.check.records import Check, Report
from symgrad.check.report import report
from symgrad.derive.records import Gradient
from symgrad.derive.tangents import adjoint_identity, derive_tangents, with_backward
from symgrad.errors import InputError, SymgradError, UnsupportedError
from symgrad.notation.claim import Claim, read_claims, seed_of
from symgrad.notation.layer import Layer
from symgrad.notation.library import gallery, load
from symgrad.notation.lines import Statement
from symgrad.plan.ahead import sums_ahead
from symgrad.plan.at_once import with_gradients
from symgrad.plan.forward_mode import with_tangents
from symgrad.plan.from_statistics import statistics_of, with_statistics
from symgrad.plan.planner import BY_COST, make_plan
from symgrad.plan.records import Adjoint, KernelPlan
from symgrad.plan.saving import Saving
from symgrad.prove.nearest import nearest_form
from symgrad.prove.study import Study, statistics_gradients, study
from symgrad.prove.verdict import REFUTED, Proof, Prover
from symgrad.render.kernels import AHEAD, AT_ONCE, BACKENDS, FORWARD_MODE, check_backend, render, render_sharded
from symgrad.render.kernels.records import Rendered
from symgrad.render.verdicts import equation

LARGEST = 400
"""Layers with more nodes in their equations and gradients get no search for the nearest right form."""


def derive(layer: Layer) -> Study:
    """Every gradient of a layer by both routes, and the proof that they agree."""
    return study(layer)


@dataclass(frozen=True)
class Motion:
    """Tangents: how everything moves when some inputs do.

    Attributes:
        layer: whose definitions they belong to; for second order the layer that computes a gradient.
        tangents: in the order of computation.
        proof: that forward and reverse mode are adjoint, <d, J v> = <J^T d, v>; None for second order.
    """

    layer: Layer
    tangents: tuple[Gradient, ...]
    proof: Proof | None


def jvp(found: Study, wrt: Sequence[str] = ()) -> Motion:
    """Jacobian-vector products: the outputs' tangents from those of the tensors `wrt` (all by default)."""
    layer = found.merge.layer
    moving = list(wrt) or [tensor.name for tensor in layer.differentiable]
    tangents = derive_tangents(layer, moving)
    gradients = tuple(f.paths for f in found.found)
    left, right = adjoint_identity(layer, gradients, tangents, moving)
    proof = Prover(layer).decide(left, right)
    return Motion(layer, tangents, proof)


def hvp(found: Study, wrt: str) -> Motion:
    """Hessian-vector products: how the gradient of `wrt` moves when `wrt` does."""
    layer = with_backward(found.merge.layer, tuple(f.paths for f in found.found), wrt)
    return Motion(layer, derive_tangents(layer, [wrt]), None)


def prove(found: Study, claims: Iterable[str], source: str = "<claim>") -> list[tuple[Claim, Proof]]:
    """The verdict on each claim about a studied layer.

    The upstream gradient of a layer's only, scalar output is 1 in claims that do not name it.
    `xhat[s, c, k] := …` before a claim gives it a name of one's own; it has no verdict.
    """
    return prove_statements(found, [Statement(source, line, text) for line, text in enumerate(claims, start=1)])


def prove_statements(found: Study, statements: Iterable[Statement]) -> list[tuple[Claim, Proof]]:
    """The verdict on each claim, with the places that messages name; all are read before one is judged.

    `name[…] := formula` among the statements is no claim: it gives the claims after it a name.
    """
    claims = read_claims(statements, found.layer)
    prover = Prover(found.layer, found.gradients)
    return [(claim, judge(prover, claim)) for claim in claims]


def judge(prover: Prover, claim: Claim) -> Proof:
    """The verdict on one claim."""
    return prover.decide(claim.left, claim.right, claim.distinct, seed_of(prover.layer, claim))


def nearest(found: Study, claim: Claim, proof: Proof) -> tuple[str, str] | None:
    """For a refuted claim the nearest right form, and the edit that makes it; None where none is found."""
    if proof.verdict != REFUTED:
        return None
    prover = Prover(found.layer, found.gradients)
    if sum(1 for _, body in prover.bodies.values() for _ in walk(body)) > LARGEST:
        return None
    correction = nearest_form(claim, prover, seed_of(found.layer, claim))
    return (equation(claim.left, correction.term, found.layer), correction.what) if correction is not None else None


def plan(found: Study, saving: Saving = BY_COST) -> KernelPlan:
    """What a kernel computes, keeps and returns; with what is to be kept, or computed again, if not by cost.

    Raises:
        InputError: the layer does not define something that is to be kept or computed again.
        SymgradError: a gradient is not proved; nothing is emitted then.
    """
    unproved = [f.name for f in found.found if f.jacobian is not None and not f.proved]
    if unproved:
        raise SymgradError(f"the gradients of {', '.join(unproved)} in {found.layer.name} are not proved.")
    prover = Prover(found.layer)

    def equal(left: Term, right: Term, _: Layer) -> bool:
        return prover.equal(left, right)

    made = make_plan(found.layer, _adjoints(found.gradients), equal, saving)
    if not made.statistics:
        return made
    return with_statistics(made, _adjoints(statistics_gradients(found.layer, statistics_of(made))), equal)


def _adjoints(gradients: Sequence[Gradient]) -> list[Adjoint]:
    """Gradients as equations of the backward pass, in the order of computation."""
    return [Adjoint(g.entry.name, g.entry.indices, g.body) for g in gradients]


def emit(
    found: Study, backends: Sequence[str], saving: Saving = BY_COST, left_out: list[str] | None = None
) -> list[Rendered]:
    """The files of a studied layer for each backend.

    Args:
        found: the layer with its gradients.
        backends: by name.
        saving: what is to be saved for the backward pass, or computed again.
        left_out: takes the reasons why backends cannot do the layer; without it the first one is raised.

    Raises:
        UnsupportedError: a backend cannot do the layer.
    """
    made = plan(found, saving)
    files = []
    for backend in backends:
        try:
            files.append(render(plan_for(made, found, backend, saving), backend))
        except UnsupportedError as error:
            if left_out is None:
                raise
            left_out.append(str(error))
    return files


def plan_for(made: KernelPlan, found: Study, backend: str, saving: Saving = BY_COST) -> KernelPlan:
    """The plan of a studied layer as a backend needs it: with sums ahead, gradients beside a loss, or tangents.

    Raises:
        InputError: there is no such backend.
    """
    check_backend(backend)
    if backend in FORWARD_MODE:
        return forward_mode(made, found, saving)
    prover = Prover(found.layer)
    if backend in AT_ONCE:
        made = with_gradients(
            made, _adjoints(found.gradients), lambda left, right, _: prover.equal(left, right), saving
        )
    return sums_ahead(made, prover.equal) if backend in AHEAD else made


def forward_mode(made: KernelPlan, found: Study, saving: Saving = BY_COST) -> KernelPlan:
    """The plan with tangents in the place of gradients.

    Raises:
        UnsupportedError: a name of the layer is what a tangent would be called.
        SymgradError: the tangents are not proved to be adjoint to the gradients; nothing is emitted then.
    """
    layer, prover = found.layer, Prover(found.layer)
    moving = [tensor.name for tensor in layer.differentiable]
    tangents = derive_tangents(layer, moving)
    if not prover.decide(*adjoint_identity(layer, found.gradients, tangents, moving)).proved:
        raise SymgradError(f"the tangents of {layer.name} are not proved to be adjoint to its gradients.")
    return with_tangents(made, _adjoints(tangents), lambda left, right, _: prover.equal(left, right), saving)


def generate(
    names: Sequence[str] = (),
    backends: Sequence[str] = (),
    saving: Saving = BY_COST,
    left_out: list[str] | None = None,
) -> list[Rendered]:
    """The files of layers, by gallery name or path; all of the gallery, for all backends, by default.

    `left_out` takes the reasons why backends cannot do layers; without it the first one is raised.
    """
    chosen = list(backends) or list(BACKENDS)
    files = [file for name in (names or gallery()) for file in emit(derive(load(name)), chosen, saving, left_out)]
    return [each for file in files for each in (file, *file.beside)]


def emit_sharded(found: Study, axis: str, backends: Sequence[str] = (), saving: Saving = BY_COST) -> Rendered:
    """The file of a studied layer for torch.distributed, with one axis sharded over processes.

    Raises:
        InputError: another backend than torch is asked for, or the layer has no such axis.
        UnsupportedError: what the layer computes needs entries of other processes.
    """
    if set(backends) - {"torch"}:
        raise InputError("only the backend torch can be sharded.", hint="Leave the backend out, or name torch.")
    return render_sharded(sums_ahead(plan(found, saving), Prover(found.layer).equal), axis)


def check_emitted(found: Study) -> list[Check]:
    """The emitted NumPy kernel of a studied layer, run against its equations on random numbers."""
    (rendered,) = emit(found, ["numpy"])
    return check_kernel(found.layer, load_kernel(rendered), sizes_of(found.layer))


def check(found: Study) -> Report:
    """A studied layer's emitted NumPy and PyTorch kernels, run against their references."""
    backends = list(CHECKED)
    parts = {}
    for call in found.layer.calls:
        if call.layer in gallery() and call.layer not in parts:
            called = derive(load(call.layer))
            parts[call.layer] = (called.layer, emit(called, backends))
    complete = all(call.layer in parts for call in found.layer.calls)
    return report(found, emit(found, backends), parts if complete else {})


def check_against(found: Study, kernel: str, say: Callable[[str], None] = lambda _: None) -> Verdict:
    """A person's own kernel, run against a studied layer's derived gradients.

    Args:
        found: the layer with its gradients.
        kernel: "FILE.py:NAME"; that file is imported and run, and nothing else is.
        say: takes progress, in words.

    Raises:
        InputError: no such file or name, it cannot be imported, or cannot be run as this layer.
    """
    source = load_kernel_file(kernel)
    made = plan(found)
    emitted = load_kernel(render(made, "numpy"))
    return check_kernel_against(found, made, emitted, kernel_of(source, found.layer), say)
