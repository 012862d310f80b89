"""Jinja templates, found beside a checkout or inside an installed package."""

from __future__ import annotations

from dataclasses import asdict, fields, is_dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, meta

from symgrad.errors import SymgradError

PACKAGE = Path(__file__).resolve().parent.parent.parent
PLACES = (PACKAGE / "_templates", PACKAGE.parent / "templates")
"""In a wheel the templates lie in the package; in a checkout, beside it."""


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The Jinja environment; a name that a template misspells is an error."""
    return Environment(
        loader=FileSystemLoader([str(place) for place in PLACES]), undefined=StrictUndefined, autoescape=False,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip


def fill(template: str, record: Any) -> str:
    """The template filled from a record; every field must be used, and nothing else."""
    if not is_dataclass(record) or isinstance(record, type):
        raise SymgradError("a template is filled from a record")
    env = environment()
    wanted = _wanted(env, template)
    given = {field.name for field in fields(record)}
    if wanted != given:
        raise SymgradError(f"template {template} and {type(record).__name__} differ in {sorted(wanted ^ given)}")
    return env.get_template(template).render(asdict(record))


def _wanted(env: Environment, template: str) -> set[str]:
    """The names that a template uses, with those of the templates that it extends or includes."""
    assert env.loader is not None
    tree = env.parse(env.loader.get_source(env, template)[0])
    others = [name for name in meta.find_referenced_templates(tree) if name is not None]
    return meta.find_undeclared_variables(tree).union(*(_wanted(env, name) for name in others))


def block(template: str, name: str, record: Any) -> str:
    """One block of a template, filled from a record."""
    found = environment().get_template(template)
    return "".join(found.blocks[name](found.new_context(asdict(record)))).strip("\n")
