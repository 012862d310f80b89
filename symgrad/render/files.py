"""Files on disk: written whole or not at all, and compared with what they should be."""

from __future__ import annotations

import contextlib
import difflib
import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from symgrad.errors import InputError
from symgrad.render.kernels.records import Rendered


def write_atomic(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file: a run that is killed leaves the old file or the new one, never a part.

    Raises:
        InputError: the folder cannot be made or written to.
    """
    write_set([(Path(path), text)])


def write_all(rendered: Sequence[Rendered], folder: str | os.PathLike[str]) -> list[Path]:
    """Write files into a folder, all of them or none; returns where they are.

    Raises:
        InputError: one cannot be written, or a folder in `folder` is a link, which may lead out of it.
    """
    check_folder(folder, [file.path for file in rendered])
    targets = [Path(folder) / file.path for file in rendered]
    write_set([(target, file.text) for target, file in zip(targets, rendered, strict=True)])
    return targets


def check_folder(folder: str | os.PathLike[str], paths: Sequence[str]) -> None:
    """Refuse paths in a folder that lead through a link or could not be written, before any work is done.

    Raises:
        InputError: with the path.
    """
    root = Path(folder)
    for path in paths:
        for inner in list((root / path).parents)[: len(Path(path).parts) - 1]:
            if inner.is_symlink():
                hint = f"Files are written in {str(root)!r} only; replace the link by a folder."
                raise InputError(f"{str(inner)!r} is a link, which is not followed.", hint=hint)
        check_writable(root / path)


def check_writable(path: str | os.PathLike[str]) -> None:
    """Find out early whether a file can be written; nothing is left behind.

    Raises:
        InputError: it cannot, with the reason.
    """
    target = Path(path)
    try:
        if target.is_dir() and not target.is_symlink():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        folder = next(parent for parent in target.absolute().parents if os.path.lexists(parent))
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=folder)
        os.close(handle)
        os.unlink(temporary)  # noqa: PTH108
    except (OSError, ValueError) as error:
        raise _unwritable(target, error) from None


def write_set(files: Sequence[tuple[Path, str]]) -> None:
    """Write files beside their places first, then move each over its place; on failure all is as before.

    Raises:
        InputError: one cannot be written.
    """
    with contextlib.ExitStack() as undo:
        waiting = []
        for target, text in files:
            try:
                _make_folder(target.parent, undo)
                waiting.append((target, _written_beside(target, text, undo)))
            except (OSError, ValueError) as error:
                raise _unwritable(target, error) from None
        for target, temporary in waiting:
            try:
                _remember(target, undo)
                os.replace(temporary, target)  # noqa: PTH105 - the call that is atomic, by its own name
            except OSError as error:
                raise _unwritable(target, error) from None
        undo.pop_all()
    for target, _ in files:
        _forget(target)


def _unwritable(target: Path, error: Exception) -> InputError:
    reason = getattr(error, "strerror", None) or error
    hint = "Choose a folder that exists or can be made, and that you may write to: --out DIR."
    return InputError(f"{str(target)!r} cannot be written: {reason}.", hint=hint)


def _make_folder(folder: Path, undo: contextlib.ExitStack) -> None:
    """Make a folder and those above it; what was made goes again on failure."""
    for each in [folder, *folder.parents][::-1]:
        if not os.path.lexists(each):
            each.mkdir()
            undo.callback(_quietly, os.rmdir, each)
    folder.mkdir(exist_ok=True)


def _written_beside(target: Path, text: str, undo: contextlib.ExitStack) -> str:
    """The path of a temporary file with the text, in the target's folder."""
    handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
    undo.callback(_quietly, os.unlink, temporary)
    with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(temporary).chmod(_mode(target))
    return temporary


def _remember(target: Path, undo: contextlib.ExitStack) -> None:
    """On failure put back the file that a new one replaces, or take the new one away."""
    if not os.path.lexists(target):
        undo.callback(_quietly, os.unlink, target)
        return
    if target.is_dir() and not target.is_symlink():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    undo.callback(_quietly, os.unlink, _old(target))
    shutil.copy2(target, _old(target), follow_symlinks=False)
    undo.callback(_quietly, os.replace, _old(target), target)


def _old(target: Path) -> Path:
    """Where a file waits while a set is written."""
    return target.parent / f".{target.name}.{os.getpid()}.old"


def _forget(target: Path) -> None:
    _quietly(os.unlink, _old(target))


def _quietly(change: Callable[..., object], *arguments: object) -> None:
    """A change that need not succeed."""
    with contextlib.suppress(OSError):
        change(*arguments)


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
