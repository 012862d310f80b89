"""Why a step holds, in the words of a remark beside it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from symgrad.algebra.terms import Diff, Entry, walk
from symgrad.derive.dependence import separated
from symgrad.derive.records import Condition, Derivation, Step
from symgrad.derive.rules import scaled_sum
from symgrad.render.document.context import Context
from symgrad.render.document.markup import listed, math, prose
from symgrad.render.document.numbers import references

_RULES: Mapping[str, str] = {
    "constant": "constants drop out",
    "sum rule": "linearity",
    "constant factor": "linearity",
    "derivative of a sum": "linearity",
    "entries are independent": "entries are independent",
    "delta picks one term": r"$\delta$ leaves one term",
    "delta first": "finite sums commute",
    "constant out of the sum": "constants leave the sum",
    "split the sum": "the sum is split",
    "multiply out": "multiplied out",
    "contribution paths": "the contribution paths",
    "express through the value": "expressed through the value",
    "express through the output": "expressed through the output",
}
"""Rules whose names are not what a reader would say; any other is called by its name."""
_RELATIONS: Mapping[str, str] = {"positive": "> 0", "nonzero": r"\ne 0"}

Words = Callable[[Context, "re.Match[str]"], str]
_SENTENCES: tuple[tuple[re.Pattern[str], Words], ...] = (
    (
        re.compile(r"(\S+) contributes only through (\S+)"),
        lambda context, m: f"{context.name(m[1])} contributes only through {context.name(m[2])}",
    ),
    (
        re.compile(r"(\S+) contributes directly to (.+)"),
        lambda context, m: (
            f"{context.name(m[1])} contributes directly to {listed(map(context.name, m[2].split(', ')))}"
        ),
    ),
    (
        re.compile(r"over all entries that (\S+) reaches"),
        lambda context, m: f"over all that {context.name(m[1])} reaches",
    ),
    (re.compile(r"written with (\S+) itself"), lambda context, m: f"written with {context.name(m[1])} itself"),
    (
        re.compile(r"(\S+) solved for its core"),
        lambda context, m: f"expressed through {context.name(m[1])}, by {references([context.definitions[m[1]]])}",
    ),
)
"""The engine's sentences that hold names of the layer, which are shown as symbols."""


def reason(context: Context, step: Step, lemmas: tuple[Derivation, ...] = ()) -> str:
    """The remark beside a step: its reason, else its rules; what it uses, and what it needs."""
    words = [sentence(context, step.reason)] if step.reason else list(dict.fromkeys(_rules(context, step)))
    words += [_used(context, step, lemmas)] if "derived before" in step.rules else []
    words += [f"for {condition(context, c)}" for c in step.conditions]
    return "; ".join(word for word in words if word)


def condition(context: Context, found: Condition) -> str:
    r"""w_{c} \ne 0."""
    relation = _RELATIONS.get(found.kind)
    if relation is None:
        return f"{context.inline(found.term)} {prose(found.kind)}"
    return math(f"{context.latex(found.term)} {relation}")


def sentence(context: Context, text: str) -> str:
    """A reason of the engine's, with names as symbols."""
    for pattern, words in _SENTENCES:
        match = pattern.fullmatch(text)
        if match:
            return words(context, match)
    return prose(text)


def _rules(context: Context, step: Step) -> list[str]:
    words = []
    for rule in step.rules:
        if rule == "definition":
            words.append(_definition(context, step))
        elif rule == "a sum with a name":
            words.append(_named_sum(context, step))
        elif rule != "derived before":
            words.append(_RULES.get(rule) or prose(rule))
    return words


def _definition(context: Context, step: Step) -> str:
    names = [node.body.name for node in walk(step.before) if isinstance(node, Diff) and isinstance(node.body, Entry)]
    return f"definition {references([context.definitions.get(name, '') for name in names])}"


def _named_sum(context: Context, step: Step) -> str:
    """The definitions that a sum was folded into: their names are new, or stood there already."""
    sums = [d.name for d in separated(context.layer) if scaled_sum(d) is not None]
    new = [name for name in sums if name in step.after.names - step.before.names]
    names = new or [name for name in sums if name in step.before.names]
    return f"definition {references([context.definitions.get(name, '') for name in names])}".strip()


def _used(context: Context, step: Step, lemmas: tuple[Derivation, ...]) -> str:
    """The numbers of the results that a step puts in."""
    gone = {node for node in walk(step.before) if isinstance(node, (Diff, Entry))} - set(walk(step.after))
    numbers = [context.result(lemma) for lemma in lemmas if any(isinstance(node, Diff) for node in gone)]
    for node in walk(step.before):
        found = (
            context.found(node.name[2:]) if isinstance(node, Entry) and node in gone and node.name[:2] == "d_" else None
        )
        if found is not None:
            numbers.append(context.result(found.paths.derivation))
    return f"by {references(numbers)}" if any(numbers) else ""
