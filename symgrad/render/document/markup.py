"""Words to LaTeX: text of a layer's author stands for itself and can break anywhere it must."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from symgrad.render.names import GREEK

_SPECIAL: Mapping[str, str] = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "`": "`{}", "'": "'{}", "-": "-{}", '"': "''{}",
}  # fmt: skip
_ACCENTS: Mapping[str, str] = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u", "\u0307": ".",
    "\u0308": '"', "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0327": "c",
}  # fmt: skip
_WORDS: Mapping[str, str] = {
    "–": "--{}", "—": "---{}", "‘": "`{}", "’": "'{}", "“": "``{}", "”": "''{}", "…": r"\dots{}", "\u00a0": "~",
    "ß": r"\ss{}", "ø": r"\o{}", "Ø": r"\O{}", "æ": r"\ae{}", "Æ": r"\AE{}", "ł": r"\l{}", "Ł": r"\L{}", "ı": r"\i{}",
}  # fmt: skip
_MATH: Mapping[str, str] = {
    "²": "^{2}", "³": "^{3}", "±": r"\pm", "×": r"\times", "·": r"\cdot", "≤": r"\le", "≥": r"\ge", "≠": r"\ne",
    "≈": r"\approx", "→": r"\to", "∞": r"\infty", "∂": r"\partial", "∑": r"\sum", "√": r"\surd", "∈": r"\in",
    "∇": r"\nabla", "−": "-", "ℒ": r"\mathcal{L}", "½": r"\tfrac12", "°": r"^{\circ}",
    **{letter: f"\\{name}" for name, letter in GREEK.items() if name != "omicron"},
}  # fmt: skip
_LONG = 18
_QUOTED = re.compile(r'"([^"]*)"')


def prose(text: str) -> str:
    """Text as its author typed it: nothing of it is a command, and pairs of quotes are curled."""
    return " ".join(_word(word) for word in _QUOTED.sub("“\\1”", text).split())


def code(name: str) -> str:
    """A name as it stands in a layer file, in typewriter letters."""
    return rf"\texttt{{{_word(name)}}}"


def plain(text: str) -> str:
    """Text for the PDF's outline: ASCII letters, digits and a little punctuation."""
    return re.sub(r"[^A-Za-z0-9 /.,-]", " ", text)


def math(formula: str) -> str:
    """A formula in a line of text, shrunk where it is wider than the line."""
    return rf"\inline{{{formula}}}"


def listed(items: Iterable[str], last: str = "and") -> str:
    """One, two and three."""
    *head, tail = list(items) or [""]
    return f"{', '.join(head)} {last} {tail}" if head else tail


def counted(items: Sequence[object], one: str, many: str) -> str:
    """The form of a word for so many things."""
    return one if len(items) == 1 else many


def _word(word: str) -> str:
    """One word; a long one may break after a number of characters, and after punctuation."""
    clusters = [_letter(letter) for letter in unicodedata.normalize("NFC", word) if letter.isprintable()]
    if len(clusters) <= _LONG:
        return "".join(clusters)
    return "".join(
        part + (r"\hspace{0pt}" if _may_break(word, at) else "") for at, part in enumerate(clusters, start=1)
    )


def _may_break(word: str, at: int) -> bool:
    return at % _LONG == 0 or (at < len(word) and at > 2 and word[at - 1] in "/_.-:?&=")


def _letter(letter: str) -> str:
    """One character; one that has no LaTeX form is named by its code point."""
    if letter in _SPECIAL:
        return _SPECIAL[letter]
    if letter.isascii():
        return letter
    if letter in _WORDS:
        return _WORDS[letter]
    if letter in _MATH:
        return f"${_MATH[letter]}$"
    parts = unicodedata.normalize("NFD", letter)
    base, marks = parts[0], parts[1:]
    if marks in _ACCENTS and base.isascii() and base.isalpha():
        bare = {"i": r"\i", "j": r"\j"}.get(base, base) if marks != "\u0327" else base
        return f"\\{_ACCENTS[marks]}{{{bare}}}"
    return rf"{{\footnotesize U+{ord(letter):04X}}}\hspace{{0pt}}"
