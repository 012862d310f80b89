"""Files on disk: written whole or not at all, and compared with what they should be."""

from __future__ import annotations

import contextlib
import difflib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from symgrad.errors import InputError
from symgrad.render.kernels.records import Rendered


def write_atomic(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file: a run that is killed leaves the old file or the new one, never a part.

    Raises:
        InputError: the folder cannot be made or written to.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _replace(target, text)
    except OSError as error:
        raise InputError(
            f"{str(target)!r} cannot be written: {error.strerror or error}.",
            hint="Choose a folder that exists or can be made, and that you may write to: --out DIR.",
        ) from None


def _replace(target: Path, text: str) -> None:
    """Write beside the target, then move over it."""
    handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(_mode(target))
        os.replace(temporary, target)  # noqa: PTH105 - the call that is atomic, by its own name
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)  # noqa: PTH108
        raise


def _mode(target: Path) -> int:
    """The permissions of the file that is replaced, or those of a new one."""
    if target.exists():
        return target.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def compare(rendered: Sequence[Rendered], folder: str | os.PathLike[str], stale: bool = True) -> list[str]:
    """The differences between a folder and what it should hold, as unified diffs; empty if there are none.

    Args:
        rendered: what the folder should hold.
        folder: where.
        stale: whether Python files that are in the backends' folders and not in `rendered` count.

    Raises:
        InputError: a file cannot be read.
    """
    root = Path(folder)
    wanted = {file.path: file for file in rendered}
    found = [_difference(root, path, file.text) for path, file in sorted(wanted.items())]
    if stale:
        backends = sorted({path.split("/")[0] for path in wanted})
        present = {f.relative_to(root).as_posix() for b in backends for f in (root / b).rglob("*.py")}
        found += [_difference(root, path, "") for path in sorted(present - wanted.keys())]
    return [difference for difference in found if difference]


def _difference(root: Path, path: str, text: str) -> str:
    """The unified diff from a file to a text; a file that is not there, or not wanted, is empty."""
    lines = difflib.unified_diff(
        _read(root / path).splitlines(keepends=True), text.splitlines(keepends=True),
        fromfile=f"{path} (found)" if (root / path).exists() else f"{path} (missing)",
        tofile=f"{path} (generated)" if text else f"{path} (stale: nothing generates it)",
    )  # fmt: skip
    return "".join(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in lines)


def _read(path: Path) -> str:
    """A file's text, empty where there is none."""
    try:
        return path.read_bytes().decode("utf-8") if path.exists() else ""
    except UnicodeDecodeError:
        return "(not a text file in UTF-8)\n"
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be read: {error.strerror or error}.") from None
