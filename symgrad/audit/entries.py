"""derivatives.yaml: where it is, and its entries as records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from symgrad.audit.signature import Signature, parse_signature
from symgrad.errors import InputError

INSIDE = Path("packaged", "autograd", "derivatives.yaml")
MAX_BYTES = 4_000_000
WORDS = frozenset(("name", "dispatch", "output_differentiability"))
"""Keys of an entry that are no formulas."""


@dataclass(frozen=True)
class Entry:
    """One operator of the file.

    Attributes:
        text: its signature as written.
        formulas: the default formulas as written, by the names that they are for ("self, other").
        other: formulas for other dispatch keys only (nested tensors), which are not judged.
    """

    text: str
    formulas: Mapping[str, str]
    other: tuple[str, ...] = ()

    @cached_property
    def signature(self) -> Signature:
        """The signature in parts."""
        return parse_signature(self.text)

    @property
    def name(self) -> str:
        """The operator with its overload: "add.Tensor"."""
        return self.text.partition("(")[0].strip()

    @cached_property
    def gradients(self) -> dict[str, tuple[str, int]]:
        """For each argument with a gradient formula: the formula, and its place where that gives several."""
        names = {argument.name for argument in self.signature.arguments}
        return {
            name: (formula, place if "," in key else -1)
            for key, formula in self.formulas.items()
            for place, name in enumerate(part.strip() for part in key.split(","))
            if name in names and formula != "non_differentiable"
        }

    @cached_property
    def forwards(self) -> dict[str, tuple[str, int]]:
        """For each result with a forward-mode formula: the same."""
        return {
            name: (formula, place if "," in key else -1)
            for key, formula in self.formulas.items()
            for place, name in enumerate(part.strip() for part in key.split(","))
            if name in self.signature.returns and name not in self.gradients and formula != "non_differentiable"
        }


def installed_file() -> Path:
    """The file that the installed torch wheel ships; torch itself is not imported.

    Raises:
        InputError: there is none.
    """
    found = find_spec("torchgen")
    folders = list(found.submodule_search_locations or ()) if found is not None else []
    for folder in folders:
        if (Path(folder) / INSIDE).is_file():
            return Path(folder) / INSIDE
    raise InputError(
        "PyTorch's derivatives.yaml is not here: it comes with the torch wheel, as torchgen/packaged/autograd.",
        hint="Install it (pip install 'symgrad[audit,torch]'), or name a copy: symgrad audit --file derivatives.yaml",
    )


def read_entries(path: Path) -> tuple[Entry, ...]:
    """Every entry of a file, in its order.

    Raises:
        InputError: PyYAML is missing, the file cannot be read, or is no list of entries.
    """
    try:
        import yaml
    except ImportError:
        raise InputError("reading YAML needs PyYAML.", hint="pip install 'symgrad[audit]' installs it.") from None
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{str(path)!r} is larger than {MAX_BYTES} bytes.", hint="This is no derivatives.yaml.")
        text = path.read_text(encoding="utf-8")
        found = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # plain data only
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{str(path)!r} cannot be read: {error}.", hint="Check the path.") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise InputError(f"{str(path)!r} is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(found, list):
        raise InputError(f"{str(path)!r} is no list of derivatives.", hint="Expected entries that begin with - name:.")
    return tuple(_entry(row, path) for row in found)


def _entry(row: Any, path: Path) -> Entry:
    """One entry; of formulas by dispatch key those of the default."""
    if not isinstance(row, dict) or not isinstance(row.get("name"), str):
        raise InputError(f"{str(path)!r} holds an entry without a name: {str(row)[:80]}")
    dispatch = row.get("dispatch")
    chosen = dict(row)
    if isinstance(dispatch, dict):
        default = dispatch.get("Default")
        chosen |= default if isinstance(default, dict) else {}
    formulas = {
        str(key): " ".join(value.split())
        for key, value in chosen.items()
        if key not in WORDS and isinstance(value, str)
    }
    other = tuple(key for key in dispatch if key != "Default") if isinstance(dispatch, dict) else ()
    return Entry(row["name"].strip(), formulas, other)
