"""`symgrad derive --wrt NAME --mode vjp|jvp|hvp`: one tensor, or another kind of derivative."""

from __future__ import annotations

from symgrad import pipeline
from symgrad.errors import InputError
from symgrad.notation.library import load
from symgrad.notation.names import did_you_mean
from symgrad.prove.study import Study
from symgrad.render.names import Names
from symgrad.render.tables import columns
from symgrad.render.terminal import Options, gradient_section, tangent_sections


def run_mode(name: str, mode: str, wrt: str | None) -> int:
    """Derive, prove and print; the exit status."""
    layer = load(name)
    known = [tensor.name for tensor in layer.differentiable]
    if wrt is not None and wrt not in known:
        raise InputError(f"{layer.name} has no input or parameter {wrt}.", hint=did_you_mean(wrt, known))
    if mode == "hvp" and wrt is None:
        raise InputError("second order needs to know by what.", hint=f"Add --wrt with one of: {', '.join(known)}.")
    found = pipeline.derive(layer)
    if mode == "vjp":
        assert wrt is not None
        print(gradient_section(found, wrt, Options(columns())))
        return 0 if found.gradient(wrt).proved else 1
    return _print_motion(found, mode, wrt)


def _print_motion(found: Study, mode: str, wrt: str | None) -> int:
    """Tangents, and for forward mode the proof that it is adjoint to reverse mode."""
    motion = pipeline.hvp(found, wrt) if mode == "hvp" and wrt else pipeline.jvp(found, [wrt] if wrt else [])
    for section in tangent_sections(motion.tangents, Names.of(motion.layer), Options(columns())):
        print(section)
    if motion.proof is None:
        return 0
    print(f"\n<d_out, J dot_in> = <Jᵀ d_out, dot_in>: {motion.proof.verdict}")
    return {"proved": 0, "refuted": 1}.get(motion.proof.verdict, 3)
