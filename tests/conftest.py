"""Settings of all tests."""

import os

import pytest
from hypothesis import settings

settings.register_profile("default", deadline=None)
settings.load_profile("default")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where tests run side by side, begin with those that may take longest.

    The others run beside them then, and nobody waits for one that began last.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=_limit, reverse=True)


def _limit(item: pytest.Item) -> float:
    marker = item.get_closest_marker("timeout")
    return float(marker.args[0]) if marker else 0.0
