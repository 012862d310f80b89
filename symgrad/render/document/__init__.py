"""A derivation as a LaTeX document that reads like an article.

`latex_document` is the whole of it: a study is turned into sections of blocks (blocks.py), and the
template `latex/derivation.tex.jinja` says how each kind of block is set.
"""

from symgrad.render.document.document import latex_document

__all__ = ["latex_document"]
