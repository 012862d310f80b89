"""Layer files that are not what they should be, and what works although it looks odd."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from symgrad.errors import InputError
from symgrad.notation.library import MAX_BYTES, from_text, load

GOOD = '"""A layer."""\ninput x[s]\nparameter w\n\ny[s] = (x[s]\n  * w)\noutput y\n'


def refuse(path: object, *words: str, limit: float = 30.0) -> str:
    start = time.process_time()
    with pytest.raises(InputError) as found:
        load(path)  # type: ignore[arg-type]
    assert time.process_time() - start < limit
    text = str(found.value)
    for word in words:
        assert word in text
    assert all(character.isprintable() or character == "\n" for character in text)
    return text


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.sg"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + GOOD.encode(),
        GOOD.replace("\n", "\r\n").encode(),
        GOOD.replace("\n", "\r").encode(),
        b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode(),
        GOOD.replace(" ", "\t").encode(),
        GOOD.rstrip("\n").encode(),
        ("\n\n# first a comment\n" + GOOD).encode(),
        GOOD.replace("A layer.", "Schicht für Änderungen, слой, 层, 🙂.").encode(),
        GOOD.replace("\n", "   # Größe\n", 4).replace('"""   #', '"""\n   #').encode(),
    ],
    ids=["bom", "crlf", "cr", "bom and crlf", "tabs", "no last line end", "comment first", "any language", "comments"],
)
def test_what_editors_write_is_read(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "odd.sg"
    path.write_bytes(data)
    layer = load(path)
    assert [d.name for d in layer.definitions] == ["y"]
    assert layer.outputs == ("y",)
    assert "\r" not in layer.text + layer.doc + layer.definitions[0].text


def test_line_ends_do_not_move_the_caret(tmp_path: Path) -> None:
    path = tmp_path / "odd.sg"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("* w", "* v").replace("\n", "\r\n").encode())
    assert ":6:5: v is not defined." in refuse(path)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "latin-1", "cp1252", "shift-jis"])
def test_another_encoding_is_named(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "odd.sg"
    path.write_bytes(("# ソ" if encoding == "shift-jis" else "# é ü").encode(encoding) + b"\n")
    refuse(path, "UTF-8")


@pytest.mark.parametrize("data", [b"\x7fELF\x02\x01\x01\0\0", b"PK\x03\x04\x14\0", b"\x89PNG\r\n\x1a\n", bytes(1000)])
def test_binary_files_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "odd.sg"
    path.write_bytes(data)
    refuse(path)


def test_an_empty_file(tmp_path: Path) -> None:
    refuse(write(tmp_path, "empty", ""), "defines nothing")


def test_a_missing_file(tmp_path: Path) -> None:
    refuse(tmp_path / "missing.sg", "there is no file")
    refuse(tmp_path / "no" / "such" / "missing.sg", "there is no file")


def test_a_folder_instead_of_a_file(tmp_path: Path) -> None:
    folder = tmp_path / "folder.sg"
    folder.mkdir()
    refuse(folder, "not a file of text")


def test_a_file_instead_of_a_folder(tmp_path: Path) -> None:
    path = write(tmp_path, "good", GOOD)
    refuse(path / "layer.sg", "cannot be read")


def test_links_that_lead_nowhere(tmp_path: Path) -> None:
    one, other = tmp_path / "one.sg", tmp_path / "other.sg"
    one.symlink_to(other)
    other.symlink_to(one)
    refuse(one, "cannot be read")
    dangling = tmp_path / "dangling.sg"
    dangling.symlink_to(tmp_path / "nothing")
    refuse(dangling, "there is no file")


def test_a_link_to_a_layer_is_followed(tmp_path: Path) -> None:
    link = tmp_path / "link.sg"
    link.symlink_to(write(tmp_path, "good", GOOD))
    assert load(link).name == "link"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_does_not_hang(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.sg"
    os.mkfifo(pipe)
    refuse(pipe, "not a file of text")


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/urandom", "/dev/tty"])
def test_devices_are_no_layers(tmp_path: Path, device: str) -> None:
    link = tmp_path / "device.sg"
    link.symlink_to(device)
    refuse(link)


def test_a_file_of_the_system_is_read_as_any_other(tmp_path: Path) -> None:
    link = tmp_path / "process.sg"
    link.symlink_to("/proc/self/status" if Path("/proc/self/status").exists() else "/etc/hosts")
    refuse(link)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file(tmp_path: Path) -> None:
    path = write(tmp_path, "secret", GOOD)
    path.chmod(0)
    refuse(path, "cannot be read")


def test_a_huge_file(tmp_path: Path) -> None:
    path = tmp_path / "huge.sg"
    with path.open("wb") as file:
        file.truncate(50_000_000_000)
    refuse(path, f"{MAX_BYTES} bytes")


@pytest.mark.parametrize(
    "name",
    ["a-b", "2x", "class", "None", "print", "np", "torch", "_x", "x_", "x__y", "d_x", "a b", "a.b", "", "sum", "where",
     "input", "größe", "ﬁ", "x" * 41, "__init__", "import os; x", "x'", "{{x}}"],
)  # fmt: skip
def test_file_names_that_cannot_be_layers(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.sg"
    path.write_text(GOOD, encoding="utf-8")
    refuse(path)
    with pytest.raises(InputError):
        from_text(GOOD, name)


@pytest.mark.parametrize(
    "path",
    ["", ".", "..", "/", "nope", "nope.sg", "a\0b", "a\0b.sg", "x" * 300, "x" * 300 + ".sg", "x/" * 3000 + "y.sg",
     "\x1b[31mred.sg", "\x1b[31m/red.sg", "\ud800.sg", "-", "--help.sg", "~/x.sg", "$(touch x).sg", "sigmoid/",
     "SIGMOID"],
)  # fmt: skip
def test_strange_paths(path: str) -> None:
    refuse(path)


def test_a_name_close_to_the_gallery_is_suggested() -> None:
    refuse("batchnorm", "Did you mean batch_norm?")


# Layers that use layers


def test_a_file_beside_comes_before_the_gallery(tmp_path: Path) -> None:
    write(tmp_path, "sigmoid", "input a[i...]\nb[i] = 3*a[i]\noutput b\n")
    net = write(tmp_path, "net", "input x[s, c]\ny = sigmoid(x)\noutput y\n")
    assert load(net).definitions[0].text == "b[i] = 3*a[i]"


def test_a_file_beside_can_wrap_the_layer_of_the_gallery_with_its_name(tmp_path: Path) -> None:
    path = write(tmp_path, "sigmoid", "input x[i...]\ny = sigmoid(x)\nz[i] = 2*y[i]\noutput z\n")
    assert [d.name for d in load(path).definitions] == ["y", "z"]


def test_a_layer_that_uses_itself(tmp_path: Path) -> None:
    path = write(tmp_path, "own", "input x[s]\ny = own(x)\noutput y\n")
    refuse(path, "own.sg:2:5:", "no function or layer own")


def test_layers_in_a_circle(tmp_path: Path) -> None:
    write(tmp_path, "one", "input x[s]\ny = two(x)\noutput y\n")
    write(tmp_path, "two", "input x[s]\ny = three(x)\noutput y\n")
    path = write(tmp_path, "three", "input x[s]\ny = one(x)\noutput y\n")
    refuse(path, "circle", "three -> one -> two -> three", ":2:5:")


def test_a_long_chain_of_layers(tmp_path: Path) -> None:
    write(tmp_path, "l0", "input x[s]\ny[s] = x[s]*x[s]\noutput y\n")
    for number in range(1, 40):
        write(tmp_path, f"l{number}", f"input x[s]\ny = l{number - 1}(x)\noutput y\n")
    assert load(tmp_path / "l15.sg").outputs == ("y",)
    refuse(tmp_path / "l39.sg", "too deeply")


def test_layers_that_double_each_time(tmp_path: Path) -> None:
    write(tmp_path, "l0", "input x[s]\ny[s] = x[s]*x[s]\noutput y\n")
    for number in range(1, 19):
        write(tmp_path, f"l{number}", f"input x[s]\na = l{number - 1}(x)\ny = l{number - 1}(a)\noutput y\n")
    refuse(tmp_path / "l18.sg", "more than 2000 definitions")


def test_an_error_in_a_used_layer_is_shown_there(tmp_path: Path) -> None:
    write(tmp_path, "bad", "input x[s]\ny[s] = x[s] + nope\noutput y\n")
    path = write(tmp_path, "net", "input x[s]\ny = bad(x)\noutput y\n")
    refuse(path, "bad.sg:2:15: nope is not defined.")


@pytest.mark.parametrize("kind", ["folder", "pipe", "loop", "binary"])
def test_a_used_layer_that_cannot_be_read_is_shown_where_it_is_used(tmp_path: Path, kind: str) -> None:
    used = tmp_path / "used.sg"
    if kind == "folder":
        used.mkdir()
    elif kind == "pipe":
        os.mkfifo(used)
    elif kind == "loop":
        used.symlink_to(used)
    else:
        used.write_bytes(b"\xff\xfe\0")
    path = write(tmp_path, "net", "input x[s]\ny = used(x)\noutput y\n")
    refuse(path, "net.sg:2:5:", "used.sg")


def test_numbers_that_break_a_used_layer(tmp_path: Path) -> None:
    write(tmp_path, "part", "input x[s]\nconstant a = 1\ny[s] = x[s]/a + x[s]*sqrt(a)\noutput y\n")
    write(tmp_path, "large", "input x[s]\nconstant a = 1\ny[s] = x[s]*a**60\noutput y\n")
    refuse(write(tmp_path, "net", "input x[s]\ny = part(x, 0)\noutput y\n"), ":2:5:", "divides by zero")
    refuse(write(tmp_path, "net", "input x[s]\ny = part(x, -1)\noutput y\n"), ":2:5:", "negative number")
    refuse(write(tmp_path, "net", "input x[s]\ny = large(x, 1e100)\noutput y\n"), ":2:5:", "too large")
