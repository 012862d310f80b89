"""A person's own Python file, and the names in it.

This is the one place in symgrad that runs a file of the person's: their own code, which they named
on the command line to have it run. Nothing from a layer file ever gets here.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from symgrad.errors import InputError
from symgrad.notation.names import did_you_mean

FORM = (
    "Write FILE.py:NAME for an autograd.Function, a torch function, a module, or an object with forward and "
    "backward; FILE.py:FORWARD,BACKWARD for two NumPy functions; FILE.py for a file that has forward and backward."
)


@dataclass(frozen=True)
class Source:
    """What `--against` names.

    Attributes:
        shown: as the person wrote the path.
        path: of the file.
        names: one name, two (forward, backward), or none for the file itself.
        objects: what these names are in the file; the module itself where there is none.
    """

    shown: str
    path: Path
    names: tuple[str, ...]
    objects: tuple[Any, ...]


def load_kernel_file(text: str) -> Source:
    """Import the file of `FILE.py:NAME`, and look the names up.

    Raises:
        InputError: no such file, it cannot be imported, or it has no such name.
    """
    shown, names = split_name(text)
    path = Path(shown)
    if not path.is_file():
        raise InputError(f"there is no file {shown!r}.", hint=FORM)
    module = _imported(path, shown)
    objects = tuple(_named(module, name, shown) for name in names) or (module,)
    return Source(shown, path, names, objects)


def split_name(text: str) -> tuple[str, tuple[str, ...]]:
    """The file and the names of `FILE.py:NAME`."""
    shown, colon, last = text.rpartition(":")
    if not colon or last.endswith(".py"):
        shown, last = text, ""
    names = tuple(name.strip() for name in last.split(",")) if last else ()
    if not shown.endswith(".py") or len(names) > 2 or not all(n.replace(".", "_").isidentifier() for n in names):
        raise InputError(f"{text!r} names no Python file and what to run in it.", hint=FORM)
    return shown, names


def _imported(path: Path, shown: str) -> ModuleType:
    """The module; it finds the files beside it, leaves no cache behind, and prints to standard error."""
    name = f"symgrad_against_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    if spec is None or spec.loader is None:
        raise InputError(f"{shown!r} cannot be imported.", hint=FORM)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickling look their module up here
    with _beside(path), quiet():
        try:
            spec.loader.exec_module(module)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            hint = "It is imported as it is; what it needs must be installed, or lie beside it."
            raise InputError(f"{shown!r} cannot be imported: {told(error, path)}.", hint=hint) from None
    return module


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[None]:
    """The file's own folder is searched for what it imports."""
    folder, written = str(path.resolve().parent), sys.dont_write_bytecode
    sys.path.insert(0, folder)
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.dont_write_bytecode = written
        if folder in sys.path:
            sys.path.remove(folder)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """What a person's code prints goes to standard error: standard output is for the report."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


def told(error: BaseException, path: Path) -> str:
    """An exception in one line, with the last place in the person's own file."""
    words = " ".join(str(error).split()) or "no message"
    words = words if len(words) <= 300 else words[:300] + " …"
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        return f"SyntaxError at {Path(error.filename).name}:{error.lineno}: {error.msg}"
    own = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).name == path.name]
    place = f" at {path.name}:{own[-1].lineno}" if own else ""
    return f"{type(error).__name__}{place}: {words.rstrip('.')}"


def _named(module: ModuleType, name: str, shown: str) -> Any:
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            raise InputError(f"{shown!r} has no {name!r}.", hint=_what_is_there(module, name))
        found = getattr(found, part)
    return found


def _what_is_there(module: ModuleType, name: str) -> str:
    """The nearest names, and all that could be meant."""
    own = [n for n, value in vars(module).items() if not n.startswith("_") and _is_own(value, module)]
    near = did_you_mean(name, own)
    listed = f"It defines {', '.join(own[:20])}." if own else "It defines no function and no class."
    return f"{near}\n{listed}" if near else listed


def _is_own(value: Any, module: ModuleType) -> bool:
    return callable(value) and getattr(value, "__module__", "") == module.__name__
