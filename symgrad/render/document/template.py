"""The LaTeX template: Jinja with marks that LaTeX does not use itself."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any

from jinja2 import Environment, meta

from symgrad.errors import SymgradError
from symgrad.render.kernels.templates import environment


@lru_cache(maxsize=1)
def latex_environment() -> Environment:
    r"""The environment of all templates, with \VAR{…}, \BLOCK{…} and \NOTE{…} for Jinja's braces."""
    return environment().overlay(
        variable_start_string=r"\VAR{", variable_end_string="}", block_start_string=r"\BLOCK{",
        block_end_string="}", comment_start_string=r"\NOTE{", comment_end_string="}",
    )  # fmt: skip


def fill_latex(template: str, record: object) -> str:
    """The template filled from a record; every field must be used, and nothing else."""
    if not is_dataclass(record) or isinstance(record, type):
        raise SymgradError("a template is filled from a record")
    given: dict[str, Any] = {field.name: getattr(record, field.name) for field in fields(record)}
    env = latex_environment()
    assert env.loader is not None
    wanted = meta.find_undeclared_variables(env.parse(env.loader.get_source(env, template)[0]))
    if wanted != set(given):
        raise SymgradError(f"template {template} and {type(record).__name__} differ in {sorted(wanted ^ set(given))}")
    return env.get_template(template).render(given)
