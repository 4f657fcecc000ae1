"""The system's Chromium, driven by Playwright."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

__all__ = ["CHROMIUM", "opened", "until"]

_SECONDS = 120

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextmanager
def opened(**settings: Any) -> Iterator[Any]:
    """A page that fails the test where a script of it fails. Skips if there is no browser to open.

    Parameters
    ----------
    settings
        As for Playwright's ``Browser.new_page``.
    """
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="Playwright is not installed; try: pip install playwright"
    )
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed; try: apt install chromium")
    with playwright.sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=CHROMIUM)
        try:
            page = browser.new_page(**settings)
            errors: list[str] = []
            page.on("pageerror", lambda error: errors.append(str(error)))
            yield page
            assert errors == []
        finally:
            browser.close()


def until(page: Any, expression: str) -> None:
    """Wait for an expression to hold. Playwright's own way evaluates text in the page, which pages forbid."""
    end = time.monotonic() + _SECONDS
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"{expression} must hold within {_SECONDS} s"
        time.sleep(0.02)
