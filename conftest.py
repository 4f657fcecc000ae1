"""A test that needs a tool skips where it is missing, and fails there when all must run
(``SBGEN_ALL_TOOLS=1``, as `make test` sets it).
"""

import os
import re

import pytest

#: What the reason of such a skip has in it.
_MISSING = re.compile(r"not installed|pip install|apt install")


def _demand(report):
    if report.skipped and os.environ.get("SBGEN_ALL_TOOLS") == "1":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if _MISSING.search(reason):
            report.outcome, report.longrepr = (
                "failed",
                f"every tool must be there where SBGEN_ALL_TOOLS is 1: {reason}",
            )
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    return _demand((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    return _demand((yield))
