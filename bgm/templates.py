"""Pages filled in from templates: HTML, and Markdown with its tables."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any


def fill_template(path: Path, filters: dict[str, Any] | None = None, **values: Any) -> str:
    """The text of a Jinja template with values in it; in .html they are escaped.

    filters: functions that the template uses besides Jinja's own and `markdown_table`.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # torch brings it

    env = Environment(
        loader=FileSystemLoader(path.parent),
        autoescape=path.suffix == ".html",
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    env.filters |= filters or {}
    return env.get_template(path.name).render(table=markdown_table, **values)


def markdown_table(heading: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown."""
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(map(str, cells))} |" for cells in lines)
