"""How long `symgrad derive` takes beside `import sympy, numpy`, and where its time goes.

Interleaved runs in one go, medians; prints seconds, the ratio, and the stages.

usage: python benchmarks/start.py [ROUNDS]
"""

import statistics
import subprocess
import sys
import time

IMPORT = "import sympy, numpy"
STAGES = """
import time
marks = [("start", time.perf_counter())]
def mark(name): marks.append((name, time.perf_counter()))
from symgrad import pipeline
from symgrad.notation.library import load
mark("import symgrad")
layer = load("batch_norm_sigmoid_mse"); mark("parse")
study = pipeline.derive(layer); mark("derive twice and prove")
pipeline.check_emitted(study); mark("plan, emit, check in numbers")
from symgrad.article.book import article_book
from symgrad.render.terminal import Options, terminal
"".join(terminal(study, article_book(layer), Options())); mark("print")
for (_, begin), (name, end) in zip(marks, marks[1:]): print(f"{name:32} {end - begin:6.3f} s")
"""


def seconds(arguments):
    begin = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def main(rounds):
    times = {"import": [], "derive": []}
    for _ in range(rounds):
        times["import"].append(seconds(["-c", IMPORT]))
        times["derive"].append(seconds(["-m", "symgrad", "derive"]))
    imported, derived = (statistics.median(times[key]) for key in ("import", "derive"))
    print(f"python -c '{IMPORT}'       {imported:6.3f} s")
    print(f"python -m symgrad derive             {derived:6.3f} s")
    print(f"ratio                                {derived / imported:6.2f}")
    print("where the time goes:")
    sys.stdout.flush()
    subprocess.run([sys.executable, "-c", STAGES], check=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
