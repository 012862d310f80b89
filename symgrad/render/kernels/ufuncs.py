"""What differs between libraries whose functions write into arrays that are there: NumPy and PyTorch on a CPU."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from symgrad.primitives import PRIMITIVES


@dataclass(frozen=True)
class Ufuncs:
    """The spellings of a library.

    Attributes:
        names: of each operation its function, which has an `out=`.
        function: the template of a scalar function: `{0}` is its argument, `{1}` the place to write to; without
            a `{1}` the function has none.
        empty: a new array of the shape `{0}`.
        full: a new array of the shape `{0}` with the value `{1}`.
        copy: the method that copies an array.
        number: a number `{0}` as the first argument of a function.
        recentres: whether a mean is compared with what is left of the array, and taken off only where that matters.
    """

    names: Mapping[str, str]
    function: Callable[[str], str]
    empty: str
    full: str
    copy: str
    number: str
    recentres: bool


OPERATIONS = ("add", "subtract", "multiply", "divide", "power", "negative", "sqrt", "square", "reciprocal")


def _numpy_function(name: str) -> str:
    row = PRIMITIVES[name]
    return f"{row.ufunc}({{0}}{{1}})" if row.ufunc else f"{row.numpy[:-1]}{{1}})"


WITHOUT_OUT = ("torch.relu",)
"""Functions of torch that have no `out=`."""


def _torch_function(name: str) -> str:
    text = PRIMITIVES[name].torch
    found = re.fullmatch(r"(torch\.\w+)\(\{0\}\)", text)
    return text if found is None or found[1] in WITHOUT_OUT else f"{found[1]}({{0}}{{1}})"


NUMPY = Ufuncs(
    {name: f"np.{name}" for name in OPERATIONS}, _numpy_function, "np.empty({0}, dtype)",
    "np.full({0}, {1}, dtype)", "copy", "{0}", recentres=True,
)  # fmt: skip
SHORT = {"subtract": "sub", "multiply": "mul", "divide": "div", "power": "pow", "negative": "neg"}
TORCH = Ufuncs(
    {name: f"torch.{SHORT.get(name, name)}" for name in OPERATIONS}, _torch_function, "torch.empty({0}, dtype=dtype)",
    "torch.full({0}, {1}, dtype=dtype)", "clone", "torch.tensor({0}, dtype=dtype)", recentres=False,
)  # fmt: skip
