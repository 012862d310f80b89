"""What a notebook shows: parts, each with a form in LaTeX and in HTML.

Formulas stand between `$$`, which MathJax sets; everything else is text, in which nothing is a command: HTML is
escaped, and dollar signs and backslashes are kept from MathJax.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import dataclass

from symgrad.render.document.markup import prose

KEPT = 'class="tex2jax_ignore mathjax_ignore"'
"""MathJax passes by what has these classes."""
_COLOURS = {"proved": "#1a7f37", "refuted": "#cf222e"}
_UNDECIDED = "#9a6700"


@dataclass(frozen=True)
class Heading:
    """A heading in words."""

    words: str

    def latex(self) -> str:
        """Bold."""
        return rf"\textbf{{{prose(self.words)}}}"

    def html(self) -> str:
        """A small heading."""
        return f"<h4>{plain(self.words)}</h4>"


@dataclass(frozen=True)
class Words:
    """A paragraph of text, whoever wrote it."""

    words: str

    def latex(self) -> str:
        """The text; nothing of it is a command."""
        return prose(self.words)

    def html(self) -> str:
        """A paragraph for each that is set off by an empty line."""
        return "".join(f"<p>{plain(part)}</p>" for part in self.words.split("\n\n") if part.strip())


@dataclass(frozen=True)
class Formula:
    """A displayed formula in LaTeX, for math mode."""

    formula: str

    def latex(self) -> str:
        """$$ … $$."""
        return f"$${self.formula}$$"

    def html(self) -> str:
        """The same; wide formulas can be scrolled."""
        return f'<div style="overflow-x: auto">{html.escape(self.latex(), quote=False)}</div>'


@dataclass(frozen=True)
class Judged:
    """A verdict and what it is about."""

    verdict: str
    words: str

    def latex(self) -> str:
        """The verdict in bold."""
        return rf"\textbf{{{prose(self.verdict)}}} {prose(self.words)}".rstrip()

    def html(self) -> str:
        """The verdict in its colour."""
        colour = _COLOURS.get(self.verdict, _UNDECIDED)
        return f'<p><strong style="color: {colour}">{plain(self.verdict)}</strong> {plain(self.words)}</p>'


@dataclass(frozen=True)
class Code:
    """A text in typewriter letters, as it is."""

    text: str

    def latex(self) -> str:
        """Line by line."""
        return "\n".join(rf"\texttt{{{prose(line)}}}\\" for line in self.text.rstrip("\n").split("\n"))

    def html(self) -> str:
        """Preformatted."""
        return f"<pre {KEPT}><code>{html.escape(self.text)}</code></pre>"


Part = Heading | Words | Formula | Judged | Code


def plain(words: str) -> str:
    """Text in HTML: no tag, no entity, no formula."""
    escaped = html.escape(words)
    for mark in ("$", "\\"):
        escaped = escaped.replace(mark, f"<span>{mark}</span>")  # a formula does not reach over tags
    return f"<span {KEPT}>{escaped}</span>"


def as_latex(parts: Iterable[Part]) -> str:
    """The parts as LaTeX with formulas between $$."""
    return "\n\n".join(part.latex() for part in parts)


def as_html(parts: Iterable[Part]) -> str:
    """The parts as HTML with formulas between $$."""
    return f"<div>{''.join(part.html() for part in parts)}</div>"
