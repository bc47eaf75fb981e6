"""What is said reaches the screen as it is: paths may look like markup."""

import pytest
from rich.table import Table

from bgm.console import say


@pytest.mark.parametrize(
    "path", ["r/[v2] x.safetensors", "v[/2].png", "a[bold]b", "[red]", "x\\[y]", "a:b: c"]
)
def test_a_path_is_printed_as_typed(path, capsys):
    table = Table(title=path, show_header=False)
    table.add_row(path)
    say(path)
    say(table)
    assert capsys.readouterr().out.count(path) == 3
