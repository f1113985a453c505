"""A report of its own for every test, as every run has one."""

from __future__ import annotations

import pytest

from flowerexp.workload import report


@pytest.fixture(autouse=True)
def told() -> report.Report:
    """What the test's code reported."""
    return report.begin("test")
