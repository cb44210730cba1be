"""Pages of HTML from the templates beside this module; what is put in is escaped, unless marked as HTML."""

from __future__ import annotations

import functools
from typing import Any

import jinja2
from markupsafe import Markup


def render(template: str, **values: Any) -> str:
    """The page that `template` makes of `values`."""
    return _environment().get_template(template).render(**values)


def as_html(text: str) -> Markup:
    """`text`, which was escaped where it is made, as HTML."""
    return Markup(text)


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pipelines"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["as_html"] = as_html
    return environment
