"""The benchmark's arithmetic, its contestants at a tiny size, and its documents; nothing here is timed."""

from __future__ import annotations

import json
import platform
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
torch = pytest.importorskip("torch")
sys.path.append(str(ROOT / "benchmarks"))

import kernels  # noqa: E402
from suite import (  # noqa: E402
    article_functions,
    bandwidth,
    built_ins,
    cold,
    emitted,
    jax_rival,
    numpy_equations,
    plot,
    tables,
    torch_rivals,
    worker,
)
from suite.goals import GOALS, Goal, outcome, outcomes  # noqa: E402
from suite.machine import machine  # noqa: E402
from suite.problem import error, errors, problem_of  # noqa: E402
from suite.runners import CannotRunError, Contestant, results  # noqa: E402
from suite.timing import Sample, interleave, participates, repeated, repeated_after, summary, times_faster  # noqa: E402
from suite.works import HUGE_PAGES, QUICK, SIGNATURES, WORKS, Work, least_bytes  # noqa: E402

from symgrad.notation.library import load  # noqa: E402

RESULT = ROOT / "benchmarks" / "results" / "2-cores-avx512.json"
TINY = {
    "batch_norm_sigmoid_mse": (4, 3, 2, 5),
    "rms_norm": (5, 7),
    "layer_norm": (5, 7),
    "cross_entropy_labels": (5, 7),
}


def tiny(layer: str, dtype: str = "float64", **more) -> Work:
    return Work("tiny", layer, TINY[layer], dtype, **more)


# --- numbers -------------------------------------------------------------------------------------


def test_median_and_quartiles():
    found = summary([Sample(wall, wall / 2) for wall in (5.0, 1.0, 3.0, 2.0, 4.0)])
    assert (found.median, found.lower, found.upper, found.turns, found.cores) == (3.0, 2.0, 4.0, 5, 0.5)
    assert summary([Sample(2.0, 2.0)]).lower == 2.0
    assert summary([Sample(2.0, 1.0)], "processor").median == 1.0
    with pytest.raises(ValueError, match="no samples"):
        summary([])


def test_ratios_and_shares():
    assert times_faster(subject=2.0, rival=6.0) == 3.0
    assert bandwidth.share(moved=300, seconds=2.0, roof=600.0) == 0.25


@pytest.mark.parametrize(("turns", "rounds"), [(3, 10), (10, 10), (1, 7), (7, 60)])
def test_turns_are_spread_over_the_rounds(turns, rounds):
    places = [place for place in range(rounds) if participates(place, turns, rounds)]
    assert len(places) == turns
    assert places[-1] >= rounds - rounds // turns - 1


def test_contestants_are_interleaved_and_each_begins_a_round():
    order = []

    def turn(name, seconds):
        def run(times):
            order.append(name)
            return Sample(seconds, seconds)

        return run

    samples = interleave({"a": turn("a", 1.0), "b": turn("b", 1.0)}, budget=0)
    assert {name: len(taken) for name, taken in samples.items()} == {"a": 3, "b": 3}
    assert order == ["a", "b", "a", "b", "b", "a", "a", "b"]


def test_a_faster_one_gets_more_turns_and_repeats():
    times = {"fast": [], "slow": []}

    def turn(name, seconds):
        return lambda count: (times[name].append(count), Sample(seconds, seconds))[1]

    samples = interleave({"fast": turn("fast", 1e-3), "slow": turn("slow", 0.1)}, budget=0.5, most=20)
    assert len(samples["fast"]) == 20 and len(samples["slow"]) == 5
    assert set(times["fast"][1:]) == {2} and set(times["slow"]) == {1}


def test_what_comes_before_a_backward_is_not_its_time(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("suite.timing.time", SimpleNamespace(perf_counter=lambda: clock[0], process_time=lambda: 0.0))

    def work(seconds):
        clock[0] += seconds

    assert repeated_after(lambda: work(100.0), lambda _: work(2.0), 5).wall == 2.0
    assert repeated(lambda: work(3.0), 5).wall == 3.0


def test_the_least_bytes_follow_from_the_shapes():
    network = Work("", "batch_norm_sigmoid_mse", (2, 3, 4), "float32")
    parameters = 4 * 3 * 4  # w, beta and their gradients
    assert least_bytes(network, "backward") == 3 * 24 * 4 + parameters  # x, t, d_x
    assert least_bytes(network, "step") == 3 * 24 * 4 + parameters + 4  # and the loss
    norm = Work("", "rms_norm", (5, 8), "bfloat16")
    assert least_bytes(norm, "backward") == 3 * 40 * 2 + 2 * 8 * 2  # x, d_y, d_x; w, d_w
    assert least_bytes(norm, "step") == 4 * 40 * 2 + 2 * 8 * 2  # and y
    labels = Work("", "cross_entropy_labels", (5, 8), "float64")
    assert least_bytes(labels, "backward") == 2 * 40 * 8 + 5 * 8  # x, d_x and whole numbers


def test_errors_are_relative_to_the_largest_and_see_what_is_no_number():
    exact = np.array([1.0, -4.0])
    assert error(np.array([1.0, -3.0]), exact) == 0.25
    assert error(np.array([1.0, np.nan]), exact) == error(np.ones(3), exact) == float("inf")
    assert error(np.zeros(2), np.zeros(2)) == 0


# --- works and contestants -----------------------------------------------------------------------


@pytest.mark.parametrize("name", SIGNATURES)
def test_the_tensors_are_the_layers(name):
    layer, signature = load(name), SIGNATURES[name]
    assert [tensor.name for tensor in layer.tensors] == [tensor for tensor, _ in signature.tensors]
    assert [tensor.name for tensor in layer.differentiable] == list(signature.differentiable)
    (output,) = layer.outputs
    assert signature.scalar == (not layer.entry(output).indices)


def test_works_have_names_of_their_own_and_the_sizes_that_were_asked_for():
    names = [work.name for work in WORKS]
    assert len(set(names)) == len(names)
    assert {*QUICK, *HUGE_PAGES, *(work for goal in GOALS for work in goal.works)} <= set(names)
    assert min(work.elements for work in WORKS) < 6_500 and max(work.elements for work in WORKS) > 25_000_000


RIVALS = {
    "torch": lambda layer: torch_rivals.contestants(layer)[:1],
    "numpy": lambda _: numpy_equations.contestants(),
    "article": lambda _: article_functions.contestants(),
    "jax": lambda _: jax_rival.contestants(),
}


@pytest.mark.parametrize("rival", RIVALS)
@pytest.mark.parametrize("work", [*map(tiny, TINY), tiny("batch_norm_sigmoid_mse", channels_last=True)], ids=repr)
def test_every_rival_computes_the_same(rival, work):
    problem = problem_of(work)
    for contestant in RIVALS[rival](work.layer):
        entry, runner = worker.prepared(contestant, problem)
        if "skipped" in entry:
            assert "article" in entry["skipped"] or "JAX" in entry["skipped"] or "jax" in entry["skipped"]
        else:
            assert runner is not None and max(entry["error"].values()) < 1e-12


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The emitted kernels of two layers."""
    made = tmp_path_factory.mktemp("kernels")
    emitted.emit_all(["batch_norm_sigmoid_mse", "rms_norm"], made)
    return made


@pytest.mark.parametrize("layer", ["batch_norm_sigmoid_mse", "rms_norm"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_symgrads_kernels_compute_the_same(folder, layer, dtype):
    problem = problem_of(tiny(layer, dtype))
    found, skipped = emitted.contestants(layer, folder)
    assert {"symgrad numpy", "symgrad torch", "symgrad torch, compiled"} <= {c.name for c in found}
    assert all(skipped.values())
    for contestant in found:
        if contestant.name in ("symgrad numpy", "symgrad torch"):
            entry, _ = worker.prepared(contestant, problem)
            limit = {"float32": 1e-5, "float64": 1e-12, "bfloat16": 2e-2}[dtype]
            assert "NumPy has no bfloat16" in entry.get("skipped", "") or max(entry["error"].values()) < limit


def test_who_computes_something_else_is_not_timed():
    problem = problem_of(tiny("rms_norm"))
    (right,) = torch_rivals.contestants("rms_norm")[:1]

    def spoiled(problem, change):
        runner = right.make(problem)
        return replace(runner, backward=lambda out: change(runner.backward(out)))

    for change in (lambda g: (g[0] * 1.001, g[1]), lambda g: (g[0] * np.nan, g[1]), lambda g: g[:1]):
        wrong = Contestant("wrong", "rival", "torch", lambda problem, change=change: spoiled(problem, change))
        entry, runner = worker.prepared(wrong, problem)
        assert runner is None
        assert "not timed" in entry.get("wrong", "") or "ValueError" in entry.get("skipped", "")
    assert worker.prepared(right, problem)[1] is not None


def test_a_gradient_that_is_missing_is_wrong():
    problem = problem_of(tiny("rms_norm"))
    assert errors(problem, problem.exact["out"], {"x": problem.exact["x"]})["w"] == float("inf")


def test_a_backend_that_is_not_there_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(emitted, "KNOWN", ("numpy", "abacus"))
    emitted.emit_all(["rms_norm"], tmp_path)
    (tmp_path / "numpy" / "rms_norm.py").write_text("import no_such_module\n")
    _, skipped = emitted.contestants("rms_norm", tmp_path)
    assert skipped["symgrad abacus"] == "symgrad has no such backend yet"
    assert "no_such_module" in skipped["symgrad numpy"]


def test_a_refusal_is_the_reason(tmp_path, monkeypatch):
    from symgrad import pipeline
    from symgrad.errors import InputError

    def refuse(found, backends):
        raise InputError("this backend has no square roots.")

    monkeypatch.setattr(pipeline, "emit", refuse)
    emitted.emit_all(["rms_norm"], tmp_path)
    found, skipped = emitted.contestants("rms_norm", tmp_path)
    assert not found and "no square roots" in skipped["symgrad numpy"]


def test_every_door_of_a_file_is_used(folder):
    module = emitted.load_file(folder / "numpy" / "rms_norm.py")
    written = []

    def backward(saved, d_y, out=None):
        gradients = module.backward(saved, d_y)
        for given, value in zip(out or (), gradients, strict=bool(out)):
            given[...] = value
            written.append(given)
        return out or gradients

    both = SimpleNamespace(forward=module.forward, backward=backward, rms_norm=built_ins.rms_norm)
    assert [door[:2] for door in emitted.doors(both, "rms_norm", "c")] == [
        ("", "arrays"),
        (" through torch", "torch"),
    ]
    problem = problem_of(tiny("rms_norm"))
    runner = emitted.array_runner(both, problem)
    assert runner.into is not None and len(results(problem, runner)) == 3 and len(written) == 2
    assert set(worker.operations({"c": runner})) == {"step", "backward", "backward into"}
    with pytest.raises(CannotRunError):
        emitted.array_runner(both, problem_of(tiny("rms_norm", "bfloat16")))


def test_bandwidth_is_measured_by_what_it_says(tmp_path):
    reason = bandwidth.build(tmp_path)
    found = bandwidth.streams(tmp_path, 64)
    assert ("triad, C" in found) == (reason == "")
    right = {"copy, NumPy": 1.0, "copy, C": 1.0, "triad, C": 1.0 + 0.5 * 2}
    for name, stream in found.items():
        stream.filled[:] = 0
        stream.run()
        assert np.all(stream.filled == right[name])
        assert stream.moved == 64 * 4 * (3 if name == "triad, C" else 2)


# --- goals, tables, documents --------------------------------------------------------------------


def time_of(median: float, share: float = 0.5) -> dict:
    return {
        "median": median,
        "lower": median,
        "upper": median,
        "turns": 3,
        "cores": 1.0,
        "clock": "wall",
        "share": share,
    }


def made_up(threads: int, own: float, rival: float) -> dict:
    entries = {
        "symgrad numpy": {"family": "symgrad", "through": "arrays", "error": {"x": 1e-6}, "step": time_of(4 * own)},
        "symgrad c": {
            "family": "symgrad",
            "through": "arrays",
            "error": {"x": 3e-6},
            "step": time_of(own),
            "backward into": time_of(own / 2),
        },
        "symgrad jax": {"family": "symgrad", "skipped": "no jax"},
        "torch.compile": {
            "family": "rival",
            "through": "torch",
            "error": {"x": 1e-2},
            "step": time_of(rival),
            "backward": time_of(rival),
        },
    }
    work = {"name": "network medium", "layer": "l", "shape": [1], "dtype": "float32", "timed": True}
    return {
        "threads": threads,
        "allocator": "default",
        "clock": "wall",
        "failed": "",
        "works": [{"work": work, "entries": entries}],
    }


MADE_UP = {
    "machine": {"processor": "p", "cores": 2, "last-level cache": "1 KB", "python": "3", "gcc": "12"},
    "runs": [made_up(1, 1.0, 3.0), made_up(2, 1.0, 2.0)],
    "options": {"clock": "wall"},
    "cold": {"c": 0.4, "torch.compile": 13.0},
}
ONE = ("network medium",)


@pytest.mark.parametrize(
    ("goal", "measured", "reached"),
    [
        (Goal("", 3, "faster", ONE, threads=(1,)), 3.0, True),
        (Goal("", 2.1, "faster", ONE), 2.0, False),  # the least favourable of both
        (Goal("", 3, "faster", ONE, "backward into", (1,)), 6.0, True),  # against the rival's backward
        (Goal("", 2, "faster", ONE, through="torch"), None, None),
        (Goal("", 2, "faster", ONE, allocator="huge pages"), None, None),
        (Goal("", 2, "faster", ("network large",)), None, None),
        (Goal("", 0.35, "longer", subject="symgrad c"), 0.5, False),
        (Goal("", 0.5, "longer", subject="symgrad c"), 0.5, True),
        (Goal("", 0.4, "share", ONE, "step"), 0.5, True),
        (Goal("", 2e-6, "error", ONE), 3e-6, False),  # the worst of symgrad's
        (Goal("", 0.5, "cold", subject="c"), 0.4, True),
        (Goal("", 0.3, "cold", subject="c"), 0.4, False),
        (Goal("", 0.3, "cold", subject="numba"), None, None),
    ],
)
def test_a_goal_is_reached_or_not(goal, measured, reached):
    found = outcome(goal, MADE_UP)
    assert found.measured == (measured if measured is None else pytest.approx(measured))
    assert found.reached is reached


def test_columns_stand_below_each_other():
    assert tables.aligned([["a", "10"], ["long", "2"]]) == ["a     10", "long   2"]
    assert tables.markdown([["a", "b"], ["1", "2"]]) == ["| a | b |", "|---|---|", "| 1 | 2 |"]


def test_the_text_has_times_ratios_reasons_and_goals():
    lines = list(tables.text(MADE_UP))
    assert any(line.startswith("symgrad c ") and "3.00" in line for line in lines)
    assert "  (symgrad jax: no jax)" in lines
    assert sum(" yes " in line or " no " in line for line in lines) >= 3
    assert len(outcomes(MADE_UP)) == len(GOALS)
    assert plot.bars(MADE_UP["runs"][0])["symgrad c"] == {"network medium": 3.0}


def test_a_time_that_others_disturbed_is_marked():
    assert tables.milliseconds(time_of(0.5)) == "500.0 [500.0 500.0]"
    assert tables.milliseconds(time_of(0.5) | {"cores": 0.5}).startswith("~")
    assert not tables.milliseconds(time_of(0.5) | {"cores": 0.5, "clock": "processor"}).startswith("~")
    assert tables.milliseconds(None) == "–"


def test_a_tiny_run_from_end_to_end(tmp_path, capsys):
    path = tmp_path / "result.json"
    kernels.main(["--quick", "--works", "network small", "--without", "torch.compile", "--budget", "0",
                  "--json", str(path)])  # fmt: skip
    result = json.loads(path.read_text(encoding="utf-8"))
    ((measured,),) = (run["works"] for run in result["runs"])
    for name in ("symgrad numpy", "symgrad torch", "torch eager", "NumPy by equations"):
        entry = measured["entries"][name]
        assert max(entry["error"].values()) < 1e-5
        assert entry["step"]["turns"] >= 3 and entry["backward"]["median"] > 0
    assert "torch.compile" not in measured["entries"]
    shown = capsys.readouterr().out
    kernels.main(["--from", str(path)])
    assert capsys.readouterr().out == shown
    kernels.main(["--from", str(path), "--threads", "2"])
    assert "network small: batch_norm" not in capsys.readouterr().out


def test_a_workers_process_has_its_threads_and_its_allocator(tmp_path, monkeypatch):
    monkeypatch.setenv("THP_MEM_ALLOC_ENABLE", "1")
    assert "THP_MEM_ALLOC_ENABLE" not in worker.environment(2, False, tmp_path)
    found = worker.environment(2, True, tmp_path)
    assert found["THP_MEM_ALLOC_ENABLE"] == "1"
    assert {found[f"{name}_NUM_THREADS"] for name in ("OMP", "MKL", "OPENBLAS", "NUMBA")} == {"2"} == {found["NPROC"]}


def test_a_result_names_the_machine_but_no_host_and_no_folder():
    for found in (json.dumps(machine()), RESULT.read_text(encoding="utf-8")):
        assert "processor" in found and platform.node() not in found
        assert not any(folder in found for folder in ("/tmp", "/ho" + "me", "/ro" + "ot", "/usr", "/opt"))


def test_the_document_shows_the_result():
    path = ROOT / "docs" / "benchmarks.md"
    result = json.loads(RESULT.read_text(encoding="utf-8"))
    shown = path.read_text(encoding="utf-8").partition(kernels.BEGIN)[2].partition(kernels.END)[0]
    assert shown == "\n".join(["", *tables.document(result), ""])


def test_a_document_keeps_what_stands_around_its_marks(tmp_path):
    path = tmp_path / "d.md"
    path.write_text(f"a\n{kernels.BEGIN}\nold\n{kernels.END}\nb\n", encoding="utf-8")
    kernels.put_into(path, ["new"])
    assert path.read_text(encoding="utf-8") == f"a\n{kernels.BEGIN}\nnew\n{kernels.END}\nb\n"


def test_numbers_are_rounded_everywhere():
    assert kernels.rounded({"a": [1.23456789, 3], "b": "1.23456789"}) == {"a": [1.2346, 3], "b": "1.23456789"}


def test_gradients_that_come_with_the_loss_leave_no_backward_pass_to_time(folder):
    problem = problem_of(tiny("batch_norm_sigmoid_mse"))
    found, _ = emitted.contestants("batch_norm_sigmoid_mse", folder)
    runners = {each.name: each.make(problem) for each in found if each.name.startswith(("symgrad c", "symgrad torch"))}
    if "symgrad c" not in runners:
        pytest.skip("no C compiler: apt-get install gcc")
    timed = worker.operations(runners)
    assert "symgrad c through torch" in timed["step"]
    assert "symgrad c through torch" not in timed["backward"]
    assert {"symgrad c", "symgrad torch"} <= timed["backward"].keys()


def test_a_cold_start_is_of_the_file_that_was_emitted(folder, monkeypatch):
    loaded, load = [], emitted.load_file
    monkeypatch.setattr(emitted, "load_file", lambda path: loaded.append(path) or load(path))
    assert cold.seconds("numpy", folder, "wall") > 0
    assert loaded == [folder / "numpy" / "batch_norm_sigmoid_mse.py"]
    with pytest.raises(FileNotFoundError):
        cold.seconds("abacus", folder, "processor")
