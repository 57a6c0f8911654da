"""Make docs/page_light.png, page_dark.png and page_phone.png: screenshots of a report's page.

Usage: python docs/page_screenshot.py outputs/report/index.html [folder]

Needs Chromium (Debian: apt-get install chromium) and playwright (pip install playwright).
"""

import shutil
import sys
from pathlib import Path
from typing import Literal

from playwright.sync_api import sync_playwright

ARGUMENTS = ["--no-sandbox", "--headless", "--disable-quic", "--disable-background-networking"]
# Name, width and height in CSS pixels, colour scheme.
VIEWS: tuple[tuple[str, int, int, Literal["light", "dark"]], ...] = (
    ("light", 1120, 1500, "light"),
    ("dark", 1120, 1500, "dark"),
    ("phone", 360, 780, "light"),
)


def main(page: Path, folder: Path) -> None:
    """Open a page in each view and write what is seen of it first.

    Args:
        page: the HTML file.
        folder: where the pictures go.
    """
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("error: no Chromium here; apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        for name, width, height, scheme in VIEWS:
            tab = browser.new_page(
                viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce"
            )
            tab.goto(page.resolve().as_uri())
            tab.screenshot(path=folder / f"page_{name}.png")
        browser.close()


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) == 3 else Path(__file__).parent)
