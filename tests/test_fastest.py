"""`symgrad.torch.function`: one name, the fastest backend that applies, never an error because one does not."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import symgrad
from symgrad.check.on_device import require_agreement
from symgrad.errors import InputError

torch = pytest.importorskip("torch")
fastest = pytest.importorskip("symgrad.torch")
needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler: apt-get install gcc")


@pytest.fixture(autouse=True, scope="module")
def private_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def softmax_is_right(function) -> bool:
    x = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    seed = torch.randn(3, 4, dtype=torch.float64)
    found = torch.autograd.grad(function(x), x, seed)[0]
    return torch.allclose(found, torch.autograd.grad(torch.softmax(x, -1), x, seed)[0])


@needs_compiler
def test_c_on_the_cpu():
    function = fastest.function("softmax")
    assert function.backend(torch.ones(2, 3)) == "c"
    assert softmax_is_right(function)
    assert function.skipped == {}


def test_on_a_gpu_triton_or_plain_torch():
    """Here there is none: Triton is tried and passed over, with the reason."""
    function = fastest.function("softmax")
    assert function.backend(SimpleNamespace(is_cuda=True)) == "torch"
    assert function.skipped["triton"]
    assert "c" not in function.skipped


def test_a_kernel_that_is_wrong_on_a_device_is_not_used():
    study = fastest._of_gallery("softmax")
    right = fastest.function("softmax", backends=["torch"])
    require_agreement(study.layer, right, right, "cpu")
    for wrong in (lambda x: right(x) * (1 + 1e-3), lambda x: right(x.detach()) + 0 * x):
        with pytest.raises(RuntimeError, match=r"of softmax is off by .* on cpu"):
            require_agreement(study.layer, wrong, right, "cpu")
    with pytest.raises(RuntimeError, match="softmax does not run on cpu: ZeroDivisionError"):
        require_agreement(study.layer, lambda x: x / (1 // 0), right, "cpu")


def test_elsewhere_plain_torch():
    function = fastest.function("softmax")
    assert function.backend(torch.ones(2, 3, device="meta")) == "torch"
    assert function(torch.ones(2, 3, device="meta")).shape == (2, 3)


def test_without_a_compiler_plain_torch_and_no_error(monkeypatch, tmp_path):
    monkeypatch.setenv("CC", "no-such-compiler")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setitem(sys.modules, "numba", None)
    function = fastest.function("softmax")
    assert softmax_is_right(function)
    assert function.backend(torch.ones(2, 3)) == "torch"
    assert "no-such-compiler was not found" in function.skipped["c"]
    assert "numba" in function.skipped["numba"]


def test_without_a_compiler_numba_where_it_is_installed(monkeypatch, tmp_path):
    pytest.importorskip("numba", reason="no numba: pip install 'symgrad[numba]'")
    monkeypatch.setenv("CC", "no-such-compiler")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    function = fastest.function("relu")
    x = torch.tensor([-1.0, 2.0], requires_grad=True)
    assert function.backend(x) == "numba"
    assert torch.autograd.grad(function(x).sum(), x)[0].tolist() == [0, 1]


def test_what_c_cannot_do_plain_torch_does():
    function = fastest.function("embedding")
    table = torch.arange(6.0).reshape(3, 2).requires_grad_()
    assert function(table, torch.tensor([2, 0])).tolist() == [[4, 5], [0, 1]]
    assert "embedding" in function.skipped["c"]


@needs_compiler
def test_more_orders_than_c_has_are_torchs():
    function = fastest.function("softmax", orders=2)
    x = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    assert function.backend(x) == "torch"
    assert torch.autograd.gradgradcheck(function, x)


@needs_compiler
def test_layers_and_files_of_ones_own(tmp_path):
    text = "input x[i...]\nconstant a = 2\ny[i] = a * x[i]\noutput y"
    path = tmp_path / "twice.sg"
    path.write_text(text, encoding="utf-8")
    for layer in (symgrad.Layer(text, name="twice"), path, str(path)):
        function = fastest.function(layer)
        assert function(torch.ones(2), a=3.0).tolist() == [3, 3]
        assert function.backend(torch.ones(2)) == "c"
    path.write_text(text.replace("a * x[i]", "a + x[i]"), encoding="utf-8")
    assert fastest.function(path)(torch.ones(2)).tolist() == [3, 3]


def test_what_is_no_tensor_is_named():
    with pytest.raises(TypeError, match="x must be a floating-point tensor, not list"):
        fastest.function("softmax")([1.0, 2.0])


def test_wrong_questions_are_answered():
    with pytest.raises(InputError, match="has no backend 'fortran'"):
        fastest.function("softmax", backends=["fortran"])
    with pytest.raises(InputError, match="c cannot be differentiated 2 times"):
        fastest.function("softmax", backends=["c"], orders=2)
    with pytest.raises(InputError, match="no_such_layer"):
        fastest.function("no_such_layer")


@needs_compiler
@pytest.mark.parametrize("place", range(3))
def test_the_document_runs(place):
    text = (Path(__file__).parent.parent / "docs" / "c.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert len(blocks) == 3
    exec(compile(blocks[place], "docs/c.md", "exec"), {})


@needs_compiler
def test_the_only_backend_that_is_named_says_why_it_cannot():
    with pytest.raises(symgrad.SymgradError, match="embedding"):
        fastest.function("embedding", backends=["c"])(torch.ones(3, 2), torch.tensor([1]))


@pytest.mark.filterwarnings("ignore")  # those of the compiler
@pytest.mark.parametrize("backend", ["c", "torch"])
def test_it_can_be_called_from_what_is_compiled(backend):
    if backend == "c" and shutil.which("cc") is None:
        pytest.skip("no C compiler: apt-get install gcc")
    function = fastest.function("softmax", backends=[backend])
    other = fastest.function("sigmoid", backends=[backend])
    x = torch.randn(3, 4, requires_grad=True)
    compiled = torch.compile(lambda x: 2 * function(x) + other(x), backend="eager")
    (found,) = torch.autograd.grad(compiled(x).square().sum(), x)
    (wanted,) = torch.autograd.grad((2 * torch.softmax(x, -1) + torch.sigmoid(x)).square().sum(), x)
    assert torch.allclose(found, wanted, atol=1e-5)
