"""Tells how much the random tests have done."""

import pytest

from tests.properties.allocator_stage import Stage


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the number of steps."""
    if Stage.steps:
        terminalreporter.write_line(f"allocator: {Stage.steps} steps of random plays, each checked")
