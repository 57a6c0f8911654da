"""The browser that the tests of the page drive: Debian's Chromium, headless, by Playwright."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

# No sandbox, since root may run the tests; no traffic of the browser's own.
ARGUMENTS = ["--no-sandbox", "--headless", "--disable-quic", "--disable-background-networking"]


@contextmanager
def browsing() -> Iterator[Any]:
    """Start the browser; skip the test where there is none to start."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is missing: pip install playwright")
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()
