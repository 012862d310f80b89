"""Names in C: a layer's own names, changed where C or the loops around them use the same.

The loops are written with every name of the plan marked (`q__x__q`; no name of a layer has two underscores in
a row). So what the text has besides can be told from them, and so can names that are made of them (`high_x`).
At the end the marks go, and a name that would then mean two things gets a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from symgrad.plan.build import with_names
from symgrad.plan.records import Procedure

if TYPE_CHECKING:
    from symgrad.render.kernels.loop_function import Argument

_MARKED = re.compile(r"q__(\w+?)__q")
_TEXT = """
    auto break case char const continue default do double else enum extern float for goto if inline int long
    register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while
    _Bool _Complex _Imaginary asm bool catch class delete explicit export false friend mutable namespace new operator
    private protected public template this throw true try typeid typename using virtual
    NULL INFINITY NAN HUGE_VAL HUGE_VALF HUGE_VALL MATH_ERRNO MATH_ERREXCEPT FP_NAN FP_INFINITE FP_ZERO FP_SUBNORMAL
    FP_NORMAL FP_FAST_FMA FP_FAST_FMAF FP_FAST_FMAL FP_ILOGB0 FP_ILOGBNAN EXIT_FAILURE EXIT_SUCCESS RAND_MAX
    MB_CUR_MAX PTRDIFF_MIN PTRDIFF_MAX SIZE_MAX REAL REAL_IS_FLOAT NAME errno offsetof assert unix linux
    malloc calloc free memcpy size_t ptrdiff_t int64_t failed at given none"""
_WORDS = frozenset(_TEXT.split())
"""Words of C and C++, what the headers define in capitals, and what c_source.py uses itself."""


def marked(name: str) -> str:
    """A name of the plan with its marks."""
    return f"q__{name}__q"


def plain(text: str) -> str:
    """A text without marks."""
    return _MARKED.sub(r"\1", text)


def marked_procedure(procedure: Procedure) -> Procedure:
    """A procedure whose names are all marked."""
    names = {name: marked(name) for name in (*procedure.reads, *(s.name for s in procedure.statements))}
    return replace(
        procedure,
        reads=tuple(names[name] for name in procedure.reads),
        statements=tuple(
            replace(s, name=names[s.name], term=with_names(s.term, names)) for s in procedure.statements
        ),
        results=tuple((what, names[name]) for what, name in procedure.results),
    )  # fmt: skip


def final_names(text: str, taken: Iterable[str]) -> Mapping[str, str]:
    """For each marked name of a C text the name that it gets.

    Args:
        text: the C text.
        taken: names that the text's surroundings define.
    """
    words = set(re.findall(r"[A-Za-z_]\w*", text))
    used = {word for word in words if "q__" not in word} | set(taken) | _WORDS
    made = sorted(word for word in words if "q__" in word)
    found = {name: name for name in sorted({name for word in made for name in _MARKED.findall(word)})}
    for number in range(2, 100):
        spelled = {word: _spelled(word, found) for word in made}
        clashing = [word for word in made if spelled[word] in used or _is_twice(spelled[word], spelled.values())]
        if not clashing:
            break
        whole = {name for name in found if marked(name) in clashing}
        for name in whole or {name for word in clashing for name in _MARKED.findall(word)}:
            found[name] = f"{name}_{number}"
    return found


def unmarked(lines: Sequence[str], names: Mapping[str, str]) -> list[str]:
    """Lines with the names that were found for the marked ones."""
    return [_spelled(line, names) for line in lines]


def with_final_names(arguments: Iterable[Argument], names: Mapping[str, str]) -> tuple[Argument, ...]:
    """Arguments with the names that were found, and what they are called in Python."""
    return tuple(
        replace(a, name=_spelled(a.name, names), variable=plain(a.name), what=plain(a.what)) for a in arguments
    )


def _spelled(text: str, names: Mapping[str, str]) -> str:
    return _MARKED.sub(lambda match: names.get(match.group(1), match.group(1)), text)


def _is_twice(word: str, words: Iterable[str]) -> bool:
    return sum(1 for other in words if other == word) > 1
