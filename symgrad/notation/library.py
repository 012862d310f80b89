"""Where layers come from: a path, a file beside another, or the gallery."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from symgrad.errors import InputError
from symgrad.notation.layer import Layer
from symgrad.notation.names import NAME, did_you_mean
from symgrad.notation.parser import parse

GALLERY = Path(__file__).resolve().parent.parent / "layers"
SUFFIX = ".sg"
MAX_BYTES = 1_000_000
MAX_NESTED_CALLS = 20


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
        return _load_file(GALLERY / (text + SUFFIX), text + SUFFIX, ())
    if not text.endswith(SUFFIX):
        raise InputError(
            f"there is no layer {text!r}.",
            hint=f"Give a path to an {SUFFIX} file, or a name from the gallery. {did_you_mean(text, gallery())}",
        )
    return _load_file(Path(text), text, ())


def from_text(text: str, name: str = "layer") -> Layer:
    """The layer that a string defines; layers that it uses come from the gallery."""
    return parse(text, name, "<text>", lambda called: _beside(Path("/nonexistent"), called, ()))


def _load_file(path: Path, shown: str, stack: tuple[Path, ...]) -> Layer:
    """The layer in a file; `stack` holds the files that are being read."""
    if not NAME.fullmatch(path.stem):
        raise InputError(
            f"{path.name!r} is not a layer's file name.",
            hint="The file's name is the layer's: a letter followed by letters, digits or _, and .sg.",
        )
    resolved = path.resolve()
    if resolved in stack or len(stack) >= MAX_NESTED_CALLS:
        chain = " -> ".join(p.stem for p in (*stack, resolved))
        raise InputError(f"layers use each other in a circle, or too deeply: {chain}.", hint="Break the circle.")
    inner = (*stack, resolved)
    return parse(_read(path, shown), path.stem, shown, lambda name: _beside(path.parent, name, inner))


def _beside(folder: Path, name: str, stack: tuple[Path, ...]) -> Layer | None:
    """The layer `name` from a file beside, else from the gallery, else None."""
    if not NAME.fullmatch(name):
        return None
    for place in (folder, GALLERY):
        path = place / (name + SUFFIX)
        if path.is_file() and path.resolve() not in stack[-1:]:
            return _load_file(path, str(path) if place is folder else path.name, stack)
    return None


@lru_cache(maxsize=256)
def _read_gallery(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _read(path: Path, shown: str) -> str:
    """The text of a layer file, with every reason why there is none as an input error."""
    if path.parent == GALLERY:
        return _read_gallery(path)
    try:
        if not path.is_file():
            raise InputError(f"there is no file {shown!r}.", hint="Check the path, or use a gallery name: symgrad list.")
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{shown} is larger than {MAX_BYTES} bytes.", hint="A layer file is a short text.")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{shown} is not a text file in UTF-8 (byte {error.start}).", hint="Save it as UTF-8."
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{shown!r} cannot be read: {reason}.") from None
