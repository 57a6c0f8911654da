"""The report as one HTML page: a single file that opens without a network and asks for nothing beyond itself.

Everything is in the file: style, script, figures and faces. A Content-Security-Policy forbids all else, down to any
script or style but the page's own two, by their hashes. Names of runs, models and files go through Jinja2's autoescape
and are text wherever they stand.
"""

import base64
import hashlib
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from sr_deepfake.reporting.examples import AMPLIFIED
from sr_deepfake.reporting.page.heat_map import map_views
from sr_deepfake.reporting.page.pictures import page_examples, page_figures
from sr_deepfake.reporting.page.results import result_details
from sr_deepfake.reporting.page.tables import page_table
from sr_deepfake.reporting.page.words import answer, conclusions, tiles
from sr_deepfake.reporting.report import Report
from sr_deepfake.system.files import replacing

LIMIT = 10_000_000  # bytes; a page that goes into a mail
_PICTURES = 7_500_000  # of these, for figures and faces; the rest is for words
_PARTS = Path(__file__).parent


def write_page(path: Path, report: Report) -> None:
    """Write a report as one HTML page, whole or not at all.

    Args:
        path: the file.
        report: what it shows.

    Raises:
        OSError: the file cannot be written.
    """
    content = render_page(report)
    with replacing(path) as beside:
        # A file's name may hold bytes that are no text; they are shown as question marks.
        beside.write_bytes(content.encode("utf-8", "replace"))


def render_page(report: Report) -> str:
    """Return the page's HTML."""
    style, script = (_part(name) for name in ("page.css", "page.js"))
    environment = Environment(
        loader=FileSystemLoader(_PARTS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2").render(
        style=Markup(style), script=Markup(script), policy=_policy(style, script), **_content(report)
    )


def _content(report: Report) -> dict[str, Any]:
    figures = page_figures(report.figures, report.illustration)
    examples = page_examples(report.examples, _PICTURES - sum(len(figure.picture) for figure in figures))
    results = [result_details(result, index) for index, result in enumerate(report.results, 1)]
    targets = {result.folder: shown.id for result, shown in zip(report.results, results, strict=True)}
    return {
        "report": report,
        "grid": report.grid,
        "made": report.made[:16].replace("T", " ") + " UTC",
        "answer": answer(report),
        "conclusions": conclusions(report),
        "notes": [
            note for note in report.notes if not any(str(each.folder) in note for each in report.unread)
        ],
        "tiles": tiles(report.grid),
        "maps": map_views(report.grid, targets),
        "tables": [page_table(table) for table in report.tables],
        "figures": figures,
        "examples": examples,
        "detectors": list(dict.fromkeys(shown.detector for shown in examples.shown)),
        "amplified": AMPLIFIED,
        "results": results,
    }


def _part(name: str) -> str:
    return (_PARTS / name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    """The Content-Security-Policy: nothing but pictures in the page itself, its one style and its one script."""
    allowed = {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": _hash(style),
        "script-src": _hash(script),
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {source}" for name, source in allowed.items())


def _hash(content: str) -> str:
    digest = base64.b64encode(hashlib.sha256(content.encode("utf-8")).digest()).decode("ascii")
    return f"'sha256-{digest}'"
