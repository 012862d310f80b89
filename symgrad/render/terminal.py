"""A study for the terminal: the same derivation as the document's, in short, line by line."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from symgrad.algebra.terms import Diff, Entry, Term, divide
from symgrad.article.book import EquationBook
from symgrad.derive.records import Condition, Derivation, Gradient, Step
from symgrad.notation.layer import Layer
from symgrad.notation.lengths import derived_axes, given_axes
from symgrad.prove.study import Found, Study
from symgrad.render.lines import width, wrapped
from symgrad.render.names import Names
from symgrad.render.presentation import presented
from symgrad.render.text import text


@dataclass(frozen=True)
class Options:
    """What to show.

    Attributes:
        width: columns of the terminal.
        solutions: 1 (the Jacobian contracted), 2 (contribution paths), or both.
        steps: every step with its rules, instead of first and last lines.
    """

    width: int = 80
    solutions: tuple[int, ...] = (1, 2)
    steps: bool = False


def terminal(study: Study, book: EquationBook | None, options: Options) -> Iterator[str]:
    """The derivation in sections, each a block of lines."""
    page = _Page(presented(study), Names.of(study.merge.layer), book, options)
    yield page.title()
    yield page.forward()
    for found in sorted(page.study.found, key=takes_two_solutions):
        if found.jacobian is not None:
            yield page.gradient(found)
    yield page.proofs()


def forward_section(study: Study, options: Options) -> str:
    """The name, what the layer is, and its equations."""
    page = _Page(study, Names.of(study.merge.layer), None, options)
    return f"{page.title()}\n\n{page.forward()}"


def gradient_section(study: Study, name: str, options: Options) -> str:
    """The derivation of one gradient by both solutions."""
    page = _Page(presented(study), Names.of(study.merge.layer), None, options)
    return page.gradient(page.study.gradient(name))


def tangent_sections(tangents: tuple[Gradient, ...], names: Names, options: Options) -> Iterator[str]:
    """A line for each tangent; `dot_x` stands for the direction in which x moves."""
    for tangent in tangents:
        left = f"  {text(tangent.entry, names)} = "
        yield wrapped(left, text(tangent.body, names), options.width)


@dataclass(frozen=True)
class _Page:
    study: Study
    names: Names
    book: EquationBook | None
    options: Options

    def title(self) -> str:
        layer = self.study.layer
        about = textwrap.fill(layer.doc.partition("\n")[0], self.options.width)
        return f"{layer.name}\n{'═' * len(layer.name)}\n{about}".rstrip()

    def heading(self, words: str) -> str:
        return f"{words}\n{'─' * min(len(words), self.options.width)}"

    def line(self, left: str, right: Term, target: Term, after: str = "") -> str:
        """The line `left = right`, broken to the width, with the equation's number."""
        tag = self.number(target, right, after)
        return wrapped(f"  {left} = ", text(right, self.names), self.options.width, tag)

    def number(self, target: Term, right: Term, after: str = "") -> str:
        return self.book.number(target, right, after) if self.book is not None else ""

    def show(self, term: Term) -> str:
        return text(term, self.names)

    def forward(self) -> str:
        """The equations, the merged axes, the domain."""
        lines = [self.heading("Forward")]
        for axis in self.study.merge.merged:
            parts = " and ".join(axis.parts)
            sizes = "·".join(f"N_{part}" for part in axis.parts)
            lines.append(f"  {parts} always stand together: one index {axis.name}, N_{axis.name} = {sizes}")
        for definition in self.study.merge.layer.definitions:
            lines.append(self.line(self.show(definition.entry), definition.body, definition.entry))
        lines += self.lengths(self.study.merge.layer)
        sizes = ", ".join(f"N_{axis.name}" for axis in self.study.merge.layer.axes)
        conditions = [f"{sizes} ≥ 1" if sizes else "", *(self.condition(c) for c in self.study.domain)]
        if any(conditions):
            lines.append("  for " + " and ".join(c for c in conditions if c))
        return "\n".join(lines)

    def lengths(self, layer: Layer) -> Iterator[str]:
        """The lengths that no tensor tells, and what labels point into."""
        for axis in layer.axes:
            if axis.length is not None:
                yield f"  N_{axis.name} = {self.show(axis.length)}"
        known = {*given_axes(layer), *(axis.name for axis in layer.axes if axis.length is not None)}
        for name, lengths in derived_axes(layer.fits, known):
            fits = [f"⌊{self.show(divide(room, step))}⌋ + 1" for room, step in lengths]
            count = fits[0] if len(fits) == 1 else f"min({', '.join(fits)})"
            yield f"  {name} runs over every position that fits: N_{name} = {count}"
        for name, into in layer.labels.items():
            yield f"  {self.show(layer.entry(name))} is a place on {into}, counted from 0"

    def condition(self, condition: Condition) -> str:
        return self.show(condition.term) + (" ≠ 0" if condition.kind == "nonzero" else " > 0")

    def gradient(self, found: Found) -> str:
        """One gradient by the chosen solutions; both only where they differ in their steps."""
        if found.jacobian is None or not takes_two_solutions(found):
            heading = self.heading(f"The gradient of {found.name}")
            return "\n".join([heading, *self.derivation(found.paths.derivation, found)])
        routes = {1: found.jacobian.derivation, 2: found.paths.derivation}
        lines: list[str] = []
        for number in self.options.solutions:
            what = SOLUTIONS[number]
            lines += [self.heading(f"The gradient of {found.name}, Solution {number}: {what}")]
            lines += [*self.derivation(routes[number], found), ""]
        return "\n".join(lines[:-1])

    def derivation(self, derivation: Derivation, found: Found) -> Iterator[str]:
        """Lemmas, then the chain, then its other forms."""
        first = derivation.steps[0].after if derivation.steps else derivation.result
        after = self.number(derivation.target, first)
        lemmas = list(self.lemmas(derivation))
        if len(lemmas) == 1 and self.show(lemmas[0].target) == self.show(derivation.target):
            yield from self.chain(lemmas[0], derivation.target)
        else:
            if derivation.route == "paths" and len(derivation.lemmas) > 1:
                yield self.line(self.show(derivation.target), first, derivation.target)
            for lemma in lemmas:
                yield from self.chain(lemma, lemma.target)
            if not lemmas or self.shown(lemmas[-1]) != self.shown(derivation):
                yield from self.chain(derivation, derivation.target, after)
        for form in found.forms:
            conditions = ", ".join(self.condition(c) for c in form.conditions)
            yield f"  and for {conditions}, {form.title}:"
            yield self.line(self.show(form.target), form.result, form.target, after)

    def shown(self, derivation: Derivation) -> tuple[str, str]:
        """The equation that a derivation arrives at, as it is displayed."""
        return self.show(derivation.target), self.show(derivation.result)

    def lemmas(self, derivation: Derivation) -> Iterator[Derivation]:
        """The lemmas, each equation once: what was just derived is not derived again."""
        seen: set[tuple[str, str]] = set()
        for lemma in self.all_lemmas(derivation):
            if self.shown(lemma) not in seen:
                seen.add(self.shown(lemma))
                yield lemma

    def all_lemmas(self, derivation: Derivation) -> Iterator[Derivation]:
        """The lemmas; in a sum of paths each after the gradient of the intermediate on its path."""
        inner = {f"d_{found.name}": found.paths.derivation for found in self.study.found if found.jacobian is None}
        for lemma in derivation.lemmas:
            assert isinstance(lemma.target, Diff) and isinstance(lemma.target.body, Entry)
            upstream = inner.get(f"d_{lemma.target.body.name}")
            if derivation.route == "paths" and upstream is not None:
                yield from upstream.lemmas
                yield upstream
            yield lemma

    def chain(self, derivation: Derivation, target: Term, after: str = "") -> Iterator[str]:
        """The chain `left = … = result`: every step with its rules, or the first and the last line."""
        left = self.show(derivation.target)
        shown = list(derivation.steps) if self.options.steps else self.selected(derivation, target, after)
        if self.options.steps:
            yield f"  · {derivation.title}"
        for place, step in enumerate(shown):
            yield self.line(left if place == 0 else " " * len(left), step.after, target, after)
            if self.options.steps:
                words = ", ".join(step.rules) + (f": {step.reason}" if step.reason else "")
                margin = " " * (width(left) + 7)
                yield textwrap.fill(
                    f"[{words}]", self.options.width, initial_indent=margin, subsequent_indent=margin + " "
                )

    def selected(self, derivation: Derivation, target: Term, after: str) -> list[Step]:
        """The first step, those with a number, and the last; not those that only name a derivative."""
        inner = [step for step in derivation.steps[1:-1] if self.number(target, step.after, after)]
        chosen = dict.fromkeys([*derivation.steps[:1], *inner, *derivation.steps[-1:]])
        return [s for s in chosen if not (isinstance(s.after, Diff) and isinstance(derivation.target, Diff))]

    def proofs(self) -> str:
        """What is proved, of what, under which assumptions."""
        lines = [self.heading("Proof: Solution 1 = Solution 2, for every size and value")]
        for found in self.study.found:
            if found.proof is None:
                continue
            mark = "✓" if found.proof.proved else "✗"
            assuming = ", ".join(self.condition(c) for c in found.proof.assumptions)
            words = f"{found.proof.verdict}" + (f", assuming {assuming}" if assuming else "")
            lines.append(f"  {mark} {self.show(found.paths.entry)}: {words}")
        return "\n".join(lines)


def takes_two_solutions(found: Found) -> bool:
    """Whether the two routes differ in their steps, so that both are worth reading."""
    routes = [found.paths, *([found.jacobian] if found.jacobian is not None else [])]
    return found.jacobian is not None and any(len(route.derivation.lemmas) > 1 for route in routes)


SOLUTIONS = {1: "follow the intermediates, contract the Jacobian", 2: "keep the intermediates, add up the paths"}
"""What each solution does."""
