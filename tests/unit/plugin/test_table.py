"""Columns of tables, whatever letters are in them."""

import pytest

from plugin.render.table import table


@pytest.mark.parametrize(
    ("cell", "padding"),
    [("people", 0), ("共有鍵", 0), ("ключ", 2), ("Gru\u0308ße", 1), ("", 6)],
)
def test_columns_begin_where_a_terminal_shows_them(cell: str, padding: int) -> None:
    """An ideograph is two columns wide, and a mark above a letter none."""
    assert table(("A", "B"), [(cell, "x"), ("people", "y")]) == [
        "A       B",
        f"{cell}{' ' * padding}  x",
        "people  y",
    ]
