"""What both kinds of autograd.Function around a kernel in C do with tensors that are given."""

from __future__ import annotations

from symgrad.plan.records import is_full
from symgrad.render.kernels.c_door import Door
from symgrad.render.kernels.words import call_lines


def first_large(door: Door) -> str:
    """The first full-size tensor: its dtype is the results'."""
    layer = door.plan.layer
    full = [door.plan.names[t.name] for t in layer.tensors if is_full(t.indices, layer)]
    return next((name for name in door.reals if name in full), door.reals[0])


def brought(door: Door, dtype: str = "None") -> list[str]:
    """The lines that make all given tensors such that C can read them."""
    reals, kind = door.reals, "dtype" if dtype == "None" else "_"
    lines = call_lines(f"{kind}, {', '.join(reals)} = _tensors", [f'"{", ".join(reals)}"', dtype, *reals])
    labels = (f'{name} = _label_tensor("{name}", {name})' for name in door.labels)
    return [*door.is_last(reals), *door.around(reals, lines), *labels]
