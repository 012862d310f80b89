"""How the cost of parsing, deriving, proving and emitting grows along chains of layers.

Two kinds of chains of n layers: `blocks`, linear -> layer_norm -> gelu again and again, and `elementwise`,
tanh -> sigmoid -> silu written as equations. Each ends in a mean square. Prints medians in seconds and
milliseconds a definition, writes the numbers as JSON, and a plot where matplotlib is installed.

usage: python benchmarks/chains.py [--lengths 10 100 400] [--rounds 3] [--emit 40] [--json FILE] [--plot FILE]
"""

import argparse
import json
import statistics
import time
from pathlib import Path

from symgrad import pipeline
from symgrad.derive.jacobian import derive_by_jacobian
from symgrad.derive.merge import merge_axes
from symgrad.derive.paths import derive_by_paths
from symgrad.notation.library import from_text
from symgrad.notation.outputs import with_separate_outputs
from symgrad.prove.verdict import Prover

STAGES = ("parse", "paths", "jacobian", "prove", "plan and emit")


def blocks(length):
    """The text of linear -> layer_norm -> gelu, `length` layers in all."""
    declared, lines, last = [], [], "x"
    for number in range(length):
        kind, result = ("linear", "layer_norm", "gelu")[number % 3], f"h{number}"
        if kind == "linear":
            declared.append(
                f"parameter w{number}[a{number}, {'i' if number == 0 else f'a{number - 3}'}], b{number}[a{number}]"
            )
            lines.append(f"{result} = linear({last}, w{number}, b{number})")
        elif kind == "layer_norm":
            declared.append(f"parameter w{number}[a{number - 1}], b{number}[a{number - 1}]")
            lines.append(f"{result} = layer_norm({last}, w{number}, b{number}, eps)")
        else:
            lines.append(f"{result} = gelu({last})")
        last = result
    features = f"a{(length - 1) // 3 * 3}"
    loss = f"L = mean[s, {features}]({last}[s, {features}]**2)"
    return "\n".join(["input x[s, i]", *declared, "constant eps = 1e-5", *lines, loss, "output L", ""])


def elementwise(length):
    """The text of tanh -> sigmoid -> silu as equations, `length` in all."""
    forms = ("tanh({0})", "sigmoid({0})", "{0}*sigmoid({0})")
    lines = [f"h{n}[i] = " + forms[n % 3].format("x[i]" if n == 0 else f"h{n - 1}[i]") for n in range(length)]
    return "\n".join(["input x[i]", *lines, f"L = mean[i](h{length - 1}[i]**2)", "output L", ""])


CHAINS = {"blocks": blocks, "elementwise": elementwise}


def once(text, emit):
    """Seconds of the processor in each stage, and the number of definitions."""
    marks = [time.process_time()]

    def mark():
        marks.append(time.process_time())

    layer = from_text(text, "chain")
    mark()
    merged = merge_axes(with_separate_outputs(layer)).layer
    paths = derive_by_paths(merged)
    mark()
    jacobians = {g.entry.name: g for g in derive_by_jacobian(merged)}
    mark()
    prover = Prover(merged, paths)
    both = [(jacobians[g.entry.name].body, g.derivation.result) for g in paths if g.entry.name in jacobians]
    assert all(prover.decide(left, right).proved for left, right in both)
    mark()
    if emit:
        found = pipeline.derive(layer)
        marks[-1] = time.process_time()  # it derives and proves again, which counts above
        marks.append(marks[-1])
        pipeline.emit(found, ["numpy", "torch"])
        marks[-1] = time.process_time()
        seconds = [marks[n + 1] - marks[n] for n in range(4)]
        seconds[3] = prove_seconds(prover, both)
        return len(layer.definitions), [*seconds, marks[-1] - marks[-2]]
    return len(layer.definitions), [marks[n + 1] - marks[n] for n in range(4)]


def prove_seconds(prover, both):
    """The time of the proofs alone, with nothing remembered."""
    prover.canonicals.clear()
    begin = time.process_time()
    assert all(prover.decide(left, right).proved for left, right in both)
    return time.process_time() - begin


def measure(kind, length, rounds, emit):
    """One row of the table."""
    runs = [once(CHAINS[kind](length), emit) for _ in range(rounds)]
    medians = [statistics.median(each) for each in zip(*(seconds for _, seconds in runs), strict=True)]
    return {"chain": kind, "layers": length, "definitions": runs[0][0], **dict(zip(STAGES, medians, strict=False))}


def show(row):
    """A line of the table: seconds, and milliseconds a definition."""
    cells = [f"{row[s]:8.3f} {1000 * row[s] / row['definitions']:7.2f}" if s in row else " " * 16 for s in STAGES]
    print(f"{row['chain']:<12}{row['layers']:>7}{row['definitions']:>7}  " + " ".join(cells), flush=True)


def plot(rows, path):
    """Seconds over definitions, on logarithmic axes."""
    try:
        from matplotlib import pyplot
    except ImportError:
        print("no plot: matplotlib is not installed")
        return
    figure, panels = pyplot.subplots(1, len(CHAINS), figsize=(10, 4), sharey=True)
    for panel, kind in zip(panels, CHAINS, strict=True):
        for stage in STAGES:
            points = [(row["definitions"], row[stage]) for row in rows if row["chain"] == kind and stage in row]
            panel.loglog(*zip(*points, strict=True), marker="o", label=stage) if points else None
        panel.set(title=kind, xlabel="definitions", ylabel="seconds")
        panel.legend()
    figure.savefig(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--lengths", type=int, nargs="+", default=[10, 100, 400])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--emit", type=int, default=40, metavar="N", help="emit kernels of chains of at most N layers")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--plot", type=Path, metavar="FILE")
    options = parser.parse_args()
    print(f"{'chain':<12}{'layers':>7}{'defs':>7}  " + " ".join(f"{stage + ' s':>8} {'ms/def':>7}" for stage in STAGES))
    rows = []
    for kind in CHAINS:
        for length in options.lengths:
            rows.append(measure(kind, length, options.rounds, length <= options.emit))
            show(rows[-1])
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    if options.plot:
        plot(rows, options.plot)


if __name__ == "__main__":
    main()
