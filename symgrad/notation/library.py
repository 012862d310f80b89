"""Where layers come from: a path, a file beside another, or the gallery."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from symgrad.errors import InputError
from symgrad.notation.layer import Layer
from symgrad.notation.lines import Statement, split
from symgrad.notation.names import MAX_NAME, NAME, check_layer_name, did_you_mean
from symgrad.notation.parser import parse

GALLERY = Path(__file__).resolve().parent.parent / "layers"
SUFFIX = ".sg"
MAX_BYTES = 1_000_000
MAX_NESTED_CALLS = 20
MAX_CLAIMS = 2_000


@lru_cache(maxsize=1)
def gallery() -> tuple[str, ...]:
    """The names of the gallery's layers, sorted."""
    return tuple(sorted(path.stem for path in GALLERY.glob(f"*{SUFFIX}")))


def load(name_or_path: str | os.PathLike[str]) -> Layer:
    """The layer of a gallery name, or of a path to an `.sg` file.

    Raises:
        InputError: no such layer, not a text file, or an error in it.
    """
    text = os.fspath(name_or_path)
    if text in gallery():
        return _Loader().file(GALLERY / (text + SUFFIX), text + SUFFIX, ())
    if not text.endswith(SUFFIX):
        raise InputError(
            f"there is no layer {text!r}.",
            hint=f"Give a path to an {SUFFIX} file, or a name from the gallery. {did_you_mean(text, gallery())}",
        )
    return _Loader().file(Path(text), text, ())


def from_text(text: str, name: str = "layer", source: str = "<text>") -> Layer:
    """The layer that a string defines; layers that it uses come from the gallery.

    `source` is what messages call the text.

    Raises:
        InputError: an error in the text, or `name` is no name for a layer.
    """
    check_layer_name(name)
    loader = _Loader()
    return parse(text, name, source, lambda called: loader.used(None, called, ()))


@dataclass
class _Loader:
    """Reads one layer and those that it uses, each file once."""

    known: dict[Path, Layer] = field(default_factory=dict)

    def file(self, path: Path, shown: str, stack: tuple[Path, ...]) -> Layer:
        """The layer in a file; `stack` holds the files that are being read."""
        check_layer_name(path.name.removesuffix(SUFFIX))
        resolved = _resolved(path, shown)
        if resolved in stack or len(stack) >= MAX_NESTED_CALLS:
            chain = " -> ".join(p.stem for p in (*stack, resolved))
            raise InputError(f"layers use each other in a circle, or too deeply: {chain}.", hint="Break the circle.")
        if resolved not in self.known:
            inner = (*stack, resolved)
            text = _read_gallery(path) if path.parent == GALLERY else _read(path, shown)
            self.known[resolved] = parse(text, path.stem, shown, lambda name: self.used(path.parent, name, inner))
        return self.known[resolved]

    def used(self, folder: Path | None, name: str, stack: tuple[Path, ...]) -> Layer | None:
        """The layer `name` from a file beside, else from the gallery, else None.

        A file beside that uses its own name means the gallery's layer.
        """
        if not NAME.fullmatch(name) or len(name) > MAX_NAME:
            return None
        beside = folder / (name + SUFFIX) if folder is not None else None
        if beside is not None and os.path.lexists(beside) and _resolved(beside, str(beside)) not in stack[-1:]:
            return self.file(beside, str(beside) if folder != GALLERY else beside.name, stack)
        if name in gallery() and GALLERY / (name + SUFFIX) not in stack[-1:]:
            return self.file(GALLERY / (name + SUFFIX), name + SUFFIX, stack)
        return None


def _resolved(path: Path, shown: str) -> Path:
    """The file behind links; a link that leads nowhere is an input error."""
    try:
        return path.resolve()
    except (OSError, ValueError, RuntimeError) as error:  # a loop of links is a RuntimeError before Python 3.13
        raise _unreadable(shown, error) from None


@lru_cache(maxsize=256)
def _read_gallery(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def read_claims_file(name: str) -> list[Statement]:
    """The claims in a file, one a statement; `#` starts a comment, an open bracket continues a line."""
    statements = split(_read(Path(name), name), name)[1]
    if not statements:
        raise InputError(f"{name!r} holds no claim.", hint="Write one equation a line.")
    if len(statements) > MAX_CLAIMS:
        origin = statements[MAX_CLAIMS].first()
        raise InputError(f"there are more than {MAX_CLAIMS} claims and definitions.", origin, "Split the file.")
    return statements


def _read(path: Path, shown: str) -> str:
    """The text of a layer file, with every reason why there is none as an input error."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))  # opening a pipe must not wait
    except FileNotFoundError:
        hint = "Check the path, or use a gallery name: symgrad list."
        raise InputError(f"there is no file {shown!r}.", hint=hint) from None
    except (OSError, ValueError) as error:
        raise _unreadable(shown, error) from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise InputError(f"{shown!r} is not a file of text.", hint=f"Give the path of an {SUFFIX} file.")
    try:
        with os.fdopen(handle, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise _unreadable(shown, error) from None
    if len(data) > MAX_BYTES:
        raise InputError(f"{shown!r} is larger than {MAX_BYTES} bytes.", hint="A layer file is a short text.")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{shown!r} is not a text file in UTF-8 (byte {error.start}, line {line}).", hint="Save it as UTF-8."
        ) from None


def _unreadable(shown: str, error: Exception) -> InputError:
    reason = getattr(error, "strerror", None) or error
    return InputError(f"{shown!r} cannot be read: {reason}.", hint="Check the path.")
