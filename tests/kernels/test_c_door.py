"""The Python side of the C backend: results into given arrays, memory, the cache of compiled code."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from symgrad import pipeline
from symgrad.check.kernels import load_kernel
from symgrad.notation.library import from_text, load

COMPILER = shutil.which("gcc")
pytestmark = pytest.mark.skipif(COMPILER is None, reason="no gcc: apt-get install gcc")
LAYERS = {
    "two": "input x[b, i]\nparameter g[i]\na[b, i] = x[b, i] * g[i]\nc[b, i] = x[b, i] + g[i]\noutput a, c",
    "added": "input x[i...], u[i...]\ny[i] = x[i] + u[i]\noutput y",
    "own": "input x, u\ny = x + u\noutput y",
    "struct": "input x[i...]\ny[i] = exp(x[i])\noutput y",
}


@pytest.fixture(autouse=True, scope="module")
def private_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@cache
def text(name: str) -> str:
    layer = from_text(LAYERS[name], name) if name in LAYERS else load(name)
    return pipeline.emit(pipeline.derive(layer), ["c"])[0].text


@cache
def module(name: str) -> ModuleType:
    return fresh(name)


def fresh(name: str) -> ModuleType:
    layer = from_text(LAYERS[name], name) if name in LAYERS else load(name)
    return load_kernel(pipeline.emit(pipeline.derive(layer), ["c"])[0])


def layer_norm(dtype=np.float32) -> tuple[ModuleType, list[np.ndarray], np.ndarray]:
    random = np.random.default_rng(0)
    arrays = [random.normal(size=shape).astype(dtype) for shape in ((4, 3), (3,), (3,), (4, 3))]
    return module("layer_norm"), arrays[:3], arrays[3]


def test_results_go_into_given_arrays():
    kernel, given, d_y = layer_norm()
    y, saved = kernel.forward(*given)
    wanted = kernel.backward(saved, d_y)
    out = np.full_like(y, np.nan)
    found, again = kernel.forward(*given, out=out)
    assert found is out
    assert np.array_equal(out, y)
    assert np.array_equal(again.mu, saved.mu)
    room = kernel.Gradients(*(np.full_like(g, np.nan) for g in wanted))
    made = kernel.backward(saved, d_y, out=room)
    assert all(one is other for one, other in zip(made, room, strict=True))
    assert all(np.array_equal(one, other) for one, other in zip(made, wanted, strict=True))
    part = kernel.backward(saved, d_y, out=kernel.Gradients(None, room.w, None))
    assert part.w is room.w
    assert part.x is not room.x
    assert np.array_equal(part.x, wanted.x)


def test_several_results_go_into_a_tuple():
    kernel, x, g = module("two"), np.arange(6.0).reshape(2, 3), np.ones(3)
    room = np.empty((2, 3)), None
    (a, c), saved = kernel.forward(x, g, out=room)
    assert a is room[0]
    assert np.array_equal(c, x + 1)
    assert kernel.backward(saved, x, x).g.tolist() == (x * x + x).sum(0).tolist()


def test_a_gradient_that_is_the_upstream_one_is_an_array_of_its_own():
    kernel, x = module("added"), np.ones((2, 3))
    y, saved = kernel.forward(x, x)
    found = kernel.backward(saved, y)
    assert np.array_equal(found.x, y)
    assert not any(np.may_share_memory(*pair) for pair in ((found.x, y), (found.u, y), (found.x, found.u)))
    room = np.empty_like(x)
    assert kernel.backward(saved, y, out=kernel.Gradients(None, room)).u is room
    assert np.array_equal(room, y)
    with pytest.raises(ValueError, match=r"out\.u shares memory"):
        kernel.backward(saved, y, out=kernel.Gradients(None, y))


def test_scalars_have_no_dimensions():
    kernel = module("own")
    y, saved = kernel.forward(np.float64(2), np.array(3.0))
    assert float(y) == 5.0
    assert [g.shape for g in kernel.backward(saved, 2.0)] == [(), ()]


def test_a_layer_may_have_the_name_of_a_module_that_the_file_uses():
    kernel = module("struct")
    y, saved = kernel.forward(np.zeros(3))
    assert kernel.backward(saved, y).x.tolist() == [1.0, 1.0, 1.0]
    assert callable(kernel.struct_)


@pytest.mark.parametrize("name", ["row", "double", "block", "high_mu", "failed", "REAL", "BLOCK", "i_k", "free", "c2"])
def test_names_that_c_or_the_loops_use_get_a_number(name):
    """They are compiled with the others; the Python side keeps them."""
    text = f"input {name}[s, k], mu_2[s]\nmu[s] = mean[k]({name}[s, k])\nv[s] = mean[k](({name}[s, k] - mu[s])**2)\n"
    text += f"y[s, k] = exp({name}[s, k] - mu[s]) * v[s] + mu_2[s]\noutput y"
    study = pipeline.derive(from_text(text, "named"))
    ours, wanted = (load_kernel(file) for file in pipeline.emit(study, ["c", "numpy"]))
    random = np.random.default_rng(0)
    given = random.normal(size=(3, 4)), random.normal(size=3)
    (y, saved), (exact, kept) = ours.forward(*given), wanted.forward(*given)
    assert np.allclose(y, exact, rtol=1e-12)
    assert np.allclose(getattr(ours.backward(saved, y), name), getattr(wanted.backward(kept, y), name), rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.astype(np.float64), r"out.x must be an array float32 \(4, 3\), not float64 \(4, 3\)"),
        (lambda a: a[:3], r"out.x must be an array float32 \(4, 3\), not float32 \(3, 3\)"),
        (lambda a: a.tolist(), "not list"),
        (lambda a: np.asfortranarray(a), "writable and lie in one piece"),
    ],
)
def test_arrays_that_cannot_receive_a_result_are_refused(change, message):
    kernel, given, d_y = layer_norm()
    saved = kernel.forward(*given)[1]
    with pytest.raises(ValueError, match=message):
        kernel.backward(saved, d_y, out=kernel.Gradients(change(np.empty_like(given[0])), None, None))


def test_what_may_not_be_overwritten_is_not():
    kernel, given, d_y = layer_norm()
    saved = kernel.forward(*given)[1]
    frozen = np.empty_like(given[0])
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="writable"):
        kernel.backward(saved, d_y, out=kernel.Gradients(frozen, None, None))
    for shared in (given[0], d_y):
        with pytest.raises(ValueError, match=r"out\.x shares memory with an array that is still read"):
            kernel.backward(saved, d_y, out=kernel.Gradients(shared, None, None))
    with pytest.raises(ValueError, match="out shares memory"):
        kernel.forward(*given, out=given[0])
    room = np.empty(3, np.float32)
    with pytest.raises(ValueError, match="two arrays of out share memory"):
        kernel.backward(saved, d_y, out=kernel.Gradients(None, room, room))
    with pytest.raises(ValueError, match="3 arrays"):
        kernel.backward(saved, d_y, out=(None, None))


def test_any_arrays_are_read_rightly():
    """Other strides, read-only, not aligned, not in the machine's byte order, empty."""
    kernel, (x, w, beta), _ = layer_norm()
    y = kernel.forward(x, w, beta)[0]
    shifted = np.empty(x.nbytes + 1, np.uint8)[1:].view(np.float32).reshape(x.shape)
    shifted[...] = x
    frozen = x.copy()
    frozen.flags.writeable = False
    for other in (np.asfortranarray(x), np.repeat(x, 2, axis=1)[:, ::2], shifted, frozen):
        assert np.array_equal(kernel.forward(other, w, beta)[0], y)
    with pytest.raises(TypeError, match="x is >f4"):
        kernel.forward(x.astype(">f4"), w, beta)
    with pytest.raises(TypeError, match="one dtype for all: x is float32, w is float64"):
        kernel.forward(x, w.astype(np.float64), beta)
    with pytest.raises(ValueError, match=r"x\[i...\] is empty: its shape is \(0, 2\)"):
        module("relu").forward(np.empty((0, 2)))


def test_large_results_use_memory_again_and_only_when_nobody_has_it(monkeypatch):
    kernel = fresh("relu")
    monkeypatch.setattr(kernel, "_LARGE", 1 << 12)
    x = np.random.default_rng(0).normal(size=(32, 32)).astype(np.float32)
    y = kernel.forward(x)[0]
    first, view = y.ctypes.data, y[3:5]
    kept = view.copy()
    del y
    other = kernel.forward(-x)[0]
    assert other.ctypes.data != first  # a view of the first is still there
    assert np.array_equal(view, kept)
    del view
    again = kernel.forward(x)[0]
    assert again.ctypes.data == first
    assert np.array_equal(again, np.maximum(x, 0))
    rooms = [kernel.forward(x)[0] for _ in range(5)]
    del rooms, again, other
    assert len(kernel._free) == kernel._KEPT
    assert kernel.forward(np.ones((64, 64), np.float32))[0].sum() == 64 * 64


def test_many_threads_get_memory_of_their_own(monkeypatch):
    kernel = fresh("relu")
    monkeypatch.setattr(kernel, "_LARGE", 1 << 12)

    def work(number: int) -> bool:
        x = np.full((40, 40), number, np.float32)
        return all((kernel.forward(x)[0] == number).all() for _ in range(50))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(1, 9)))


def cached(folder: Path) -> list[Path]:
    return sorted((folder / "symgrad" / "kernels").iterdir())


def test_a_damaged_file_in_the_cache_is_made_again(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    fresh("relu").prepare("float64")
    made = cached(tmp_path)
    path = next(each for each in made if b"forward_packed" in each.read_bytes())
    whole = path.read_bytes()
    for damage in (whole[: len(whole) // 2], b"", whole[:5000] + b"\0\1\2\3" + whole[5004:], b"no library"):
        path.unlink()  # a library that is in use is not written over
        path.write_bytes(damage)
        assert fresh("relu").forward(np.array([-1.0, 2.0]))[0].tolist() == [0, 2]
        assert cached(tmp_path) == made
        assert path.read_bytes() != damage


def test_the_cache_is_for_its_owner_only(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    before = os.umask(0)
    try:
        fresh("relu").forward(np.ones(3))
    finally:
        os.umask(before)
    assert (tmp_path / "symgrad" / "kernels").stat().st_mode & 0o777 == 0o700


def test_without_a_home_it_works_all_the_same(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert fresh("relu").forward(np.array([-1.0, 2.0]))[0].tolist() == [0, 2]


def test_processes_that_start_at_once_share_one_cache(tmp_path):
    (tmp_path / "relu.py").write_text(text("relu"), encoding="utf-8")
    code = "import numpy as np, relu\nassert relu.forward(np.array([-1.0, 2.0]))[0].tolist() == [0, 2]"
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    running = [subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, env=environment) for _ in range(4)]
    assert [process.wait(120) for process in running] == [0] * 4
    assert len(cached(tmp_path)) == 2  # the forward and the backward pass


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_process_that_forks_while_another_thread_compiles_does_not_wait_for_it(tmp_path):
    (tmp_path / "relu.py").write_text(text("relu"), encoding="utf-8")
    code = """
        import os, numpy as np, relu
        relu._function(np.dtype("float64"), (), "forward")
        locks = list(relu._AT_WORK.values())
        for lock in locks:
            lock.acquire()  # as if threads compiled
        child = os.fork()
        if not child:
            relu._function.cache_clear()
            os._exit(0 if relu.forward(np.array([-1.0, 2.0]))[0].tolist() == [0, 2] else 1)
        assert os.waitpid(child, 0)[1] == 0
        for lock in locks:
            lock.release()
    """
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=tmp_path, env=environment, timeout=120, check=False
    )
    assert done.returncode == 0


def test_without_a_compiler_the_message_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("CC", "no-such-compiler -O2")
    with pytest.raises(RuntimeError, match=r"no-such-compiler was not found\. Install gcc or clang, or name one in CC"):
        fresh("relu").forward(np.ones(3))
    monkeypatch.delenv("CC")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match="Install gcc or clang"):
        fresh("relu").forward(np.ones(3))


def test_a_compiler_without_openmp_is_enough(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    strict = tmp_path / "cc"
    refuse = 'for each in "$@"; do [ "$each" = -fopenmp ] && exit 1; done'
    strict.write_text(f'#!/bin/sh\n{refuse}\nexec {COMPILER} "$@"\n', encoding="utf-8")
    strict.chmod(0o755)
    monkeypatch.setenv("CC", str(strict))
    assert fresh("relu").forward(np.array([-1.0, 2.0]))[0].tolist() == [0, 2]
