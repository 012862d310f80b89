"""A study as a complete LaTeX document."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from symgrad.algebra.terms import Size
from symgrad.article.book import EquationBook
from symgrad.prove.study import Study
from symgrad.render.document.backward import backward_sections
from symgrad.render.document.blocks import Block, Chain, Line, Section, Text
from symgrad.render.document.closing import extra_section, proof_section, table_section
from symgrad.render.document.context import Context
from symgrad.render.document.forward import forward_section
from symgrad.render.document.markup import code, listed, math, plain, prose
from symgrad.render.document.template import fill_latex
from symgrad.render.presentation import presented

TEMPLATE = "latex/derivation.tex.jinja"


_PATHS = (
    r"The sum says that every path by which $v$ contributes is counted. The product says that along each path the "
    r"gradient is the upstream gradient, which comes from above, times the local derivative."
)
_CHOICE = (
    r"There is a choice in what the $f_m$ are. If they are the entries of a layer's output, everything between "
    r"$v$ and the output follows $v$, and $\partial f_m / \partial v$ is a \emph{total} derivative (Solution 1). If "
    r"they are all the named quantities in whose definitions $v$ itself stands, the other names are held in each "
    r"$\partial f_m / \partial v$, and $v$'s further influence is in the upstream gradients (Solution 2: contribution "
    r"paths)."
)


@dataclass(frozen=True)
class Document:
    """What the template is filled from.

    Attributes:
        title: in LaTeX.
        bookmark: the title without markup.
        summary: paragraphs below the title.
        sections: in order.
    """

    title: str
    bookmark: str
    summary: tuple[str, ...]
    sections: tuple[Section, ...]


def latex_document(study: Study, book: EquationBook | None, solutions: tuple[int, ...] = (1, 2)) -> str:
    """The derivation of a layer to read, for pdflatex.

    Args:
        study: of any layer.
        book: whose equation numbers are printed; without one the document counts from (1).
        solutions: which ways are shown where there are two: 1 contracts the Jacobian, 2 adds up
            contribution paths.

    Returns:
        A complete document, in ASCII. No text of the layer is a command in it.
    """
    context = Context.of(presented(study), book)
    name = study.layer.name
    sections = tuple(_sections(context, solutions))
    return fill_latex(
        TEMPLATE,
        Document(
            title=f"The gradients of {code(name)},\\\\ derived step by step",
            bookmark=f"The gradients of {plain(name)}",
            summary=tuple(prose(paragraph) for paragraph in study.layer.doc.split("\n\n") if paragraph.strip()),
            sections=sections,
        ),
    )


def _sections(context: Context, solutions: tuple[int, ...]) -> Iterator[Section]:
    yield forward_section(context)
    yield Section("section", "Derivation of the gradients", "Derivation of the gradients")
    yield _chain_rule(context)
    yield _dimensions(context)
    yield from backward_sections(context, solutions)
    yield proof_section(context)
    yield table_section(context)
    extra = extra_section(context)
    if extra is not None:
        yield extra


def _chain_rule(context: Context) -> Section:
    """The chain rule in general, and its two readings."""
    loss, several = context.names.loss.latex, r"f_{1}, \dots, f_{M}"
    product = rf"\frac{{\partial {loss}}}{{\partial f_{{%s}}}} \frac{{\partial f_{{%s}}}}{{\partial v}}"
    first, last, each = (product % (index, index) for index in ("1", "M", "m"))
    left = rf"\frac{{\partial {loss}}}{{\partial v}}"
    line = Line((first, rf"{{}}+ \cdots + {last}", rf"{{}}= \sum_{{m=1}}^{{M}} {each}"), left=left)
    blocks: tuple[Block, ...] = (
        Text(
            f"Where {math(loss)} depends on {math('v')} through {math(several)}, and on nothing else "
            f"that varies with {math('v')}, the gradient is"
        ),
        Chain((line,), (left,)),
        Text(_PATHS),
        Text(_CHOICE),
    )
    return Section("subsection", "The chain rule", "The chain rule", blocks)


def _dimensions(context: Context) -> Section:
    """A gradient has the dimensions of what it is taken by."""
    wanted = [tensor for tensor in context.study.layer.differentiable if tensor.indices]
    example = max(wanted, key=lambda tensor: len(tensor.indices), default=None)
    loss = math(context.names.loss.latex)
    text = f"{loss} is one number, so its gradient with respect to a tensor has that tensor's dimensions"
    if example is not None:
        sizes = r" \times ".join(context.latex(Size(index.axis)) for index in example.indices)
        text += (
            f": {math(context.gradient(example.name))} has {math(sizes)} entries, as {context.name(example.name)} has"
        )
    others = [tensor for tensor in wanted if tensor is not example]
    if others:
        text += f", and likewise {listed(math(context.gradient(tensor.name)) for tensor in others)}"
    return Section("subsection", "Dimensions of the gradients", "Dimensions of the gradients", (Text(text + "."),))
