"""The report as one HTML page: a single file that opens without a network and asks for nothing beyond itself.

Everything is in the file: style, script, figures and faces. A Content-Security-Policy forbids all else, down to any script or
style but the page's own two, by their hashes. Names of runs, models and files go through Jinja2's autoescape and are text
wherever they are shown.
"""

import base64
import hashlib
import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from sr_deepfake.experiment.results import UNDEFENDED, Result
from sr_deepfake.metrics.figures import Figure
from sr_deepfake.reporting.examples import AMPLIFIED, Picture
from sr_deepfake.reporting.grid import Entry, ReportGrid
from sr_deepfake.reporting.numbers import HEADINGS, UNDEFINED, show, show_change, show_value
from sr_deepfake.reporting.report import Report
from sr_deepfake.reporting.words import changed, clean_of, harm, worst

STEPS = 5  # of colour, to either side of no change
_FULL = 0.05  # a change of this size has the strongest colour at least, so that small changes do not look alarming
VIEWS = {
    ("fnr", "both"): "Missed fakes (FNR)",
    ("fpr", "both"): "False alarms (FPR)",
    ("auc", "both"): "AUC, all faces attacked",
    ("auc", "fake"): "AUC, only fakes attacked",
}
TILES = {
    "fnr": "Missed fakes (FNR), largest rise",
    "fpr": "False alarms (FPR), largest rise",
    "auc": "AUC, largest fall",
}
QUALITY = 80  # of WebP
_TOP = 6  # examples that are shown first
_SVG_LIMIT = 300_000  # bytes above which a figure's PNG is taken, if that is smaller
_NUMBER = re.compile(r"[+\-−]?\d+(?:,\d{3})*(?:\.\d+)?")
_PARTS = Path(__file__).parent


def write_page(path: Path, report: Report, figures: Mapping[str, tuple[Path, Path]]) -> None:
    """Write a report as one HTML page."""
    style, script = ((_PARTS / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    environment = Environment(
        loader=FileSystemLoader(_PARTS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    ids = {result.folder: f"result-{index}" for index, result in enumerate(report.results, 1)}
    moved = sorted((example.change for example in report.examples), reverse=True)[:_TOP]
    text = environment.get_template("page.html.j2").render(
        report=report,
        grid=report.grid,
        views=[_view(report.grid, metric, setup, label, ids) for (metric, setup), label in VIEWS.items()],
        tiles=[tile for metric, label in TILES.items() if (tile := _tile(report.grid, metric, label))],
        ids=ids,
        top=moved[-1] if moved else 0.0,
        detectors=list(dict.fromkeys(example.entry.name for example in report.examples)),
        amplified=AMPLIFIED,
        quality=QUALITY,
        undefined=UNDEFINED,
        headings=HEADINGS,
        show=show,
        show_change=show_change,
        show_value=show_value,
        webp=webp,
        title=_title,
        facts=_facts,
        sort_value=sort_value,
        picture=lambda figure: _picture(*figures[figure.name]),
        to_json=lambda value: json.dumps(value, indent=2, ensure_ascii=False),
        style=Markup(style),
        script=Markup(script),
        policy=_policy(style, script),
    )
    path.write_bytes(text.encode("utf-8", "replace"))  # bytes of a file's name that are no text become question marks


def colour(figure: Figure, metric: str, full: float) -> str:
    """The style sheet's class for a change, by how far it is from none: "worse1" to "worse5", "better1" to "better5", "same"."""
    size = harm(metric, figure)
    if abs(size) < 0.0005:  # shown as 0.0
        return "same"
    # Less the last digits: 0.06 / 0.1 × 5 is a little above 3.
    step = min(STEPS, int(-(-round(abs(size) / full * STEPS, 6) // 1)))
    return f"{'worse' if size > 0 else 'better'}{step}"


def sort_value(cell: str) -> float | None:
    """The first number in a cell's text, by which a table is sorted; None where it has none."""
    found = _NUMBER.search(cell)
    return float(found[0].replace("−", "-").replace(",", "")) if found else None


def webp(picture: Picture) -> str:
    """A picture as a data URI."""
    content = io.BytesIO()
    Image.fromarray(picture).save(content, "WEBP", quality=QUALITY, method=4)
    return _data_uri("image/webp", content.getvalue())


def _view(grid: ReportGrid, metric: str, setup: str, label: str, ids: Mapping[Path, str]) -> dict[str, Any]:
    """The heat map of one figure: for each model its squares, and the legend's colours."""
    found = changed(grid.attacked, metric, setup)
    full = max([_FULL, *(abs(figure.change or 0.0) for _, figure in found)])
    rows: dict[str, list[dict[str, Any]]] = {model: [] for model in grid.models}
    for model, _, entry in grid.squares:
        rows[model].append(_square(entry, metric, setup, full, ids))
    sizes = [(step, f"{100 * full * step / STEPS:.1f}") for step in range(1, STEPS + 1)]
    better, worse = ([(f"{word}{step}", size) for step, size in sizes] for word in ("better", "worse"))
    legend = [*reversed(better), ("same", "0"), *worse]
    return {"key": f"{metric} {setup}", "label": label, "rows": rows, "legend": legend}


def _square(entry: Entry | None, metric: str, setup: str, full: float, ids: Mapping[Path, str]) -> dict[str, Any]:
    figure = Figure() if entry is None else entry.figure(setup, metric)
    if entry is None or figure.change is None:
        detail = "undefined" if entry and entry.is_attacked else "missing"
        return {"colour": "missing", "change": "", "detail": detail, "interval": "", "sure": False, "target": None}
    change, _, interval = show_change(figure).partition(" ")
    return {
        "colour": colour(figure, metric, full),
        "change": change,
        "detail": f"{show(clean_of(figure))} → {show(figure.value)}",
        "interval": interval,
        "sure": figure.excludes_zero,
        "target": ids.get(entry.result.folder),
    }


def _tile(grid: ReportGrid, metric: str, label: str) -> dict[str, str] | None:
    """The change of a figure that is worst for a detector."""
    found = changed(grid.attacked, metric)
    if not found:
        return None
    entry, figure = worst(found, metric)
    if harm(metric, figure) <= 0:
        return {"label": label, "value": "none", "detail": "No detector got worse.", "where": ""}
    change, _, interval = show_change(figure).partition(" ")
    detail = f"{show(clean_of(figure))} → {show(figure.value)} %{'; 95 % interval ' + interval if interval else ''}"
    return {"label": label, "value": change, "detail": detail, "where": entry.name}


def _title(result: Result) -> str:
    run = result.run
    method = f"{run.forgery} (external)" if run.is_external else run.trained_on
    if not run.is_external and run.forgery != run.trained_on:
        method += f", tested on {run.forgery}"
    defended = "" if run.defence == UNDEFENDED else f", defence {run.defence}"
    return f"{run.model} on {method}{defended}, attack {run.attack.name}"


def _facts(result: Result) -> dict[str, str]:
    """The known facts of a run; unknown ones are left out."""
    run, provenance, counts, drawn = result.run, result.provenance, result.metrics.counts, result.metrics.bootstrap
    threshold, git, seconds = result.metrics.threshold, provenance.get("git"), provenance.get("seconds")
    if not isinstance(git, Mapping):
        git = {}
    commit = str(git.get("commit", "")) + (", with uncommitted changes" if git.get("changed") else "")
    known: dict[str, Any] = {
        "Faces": f"{counts.faces:,} of {counts.videos:,} videos in {counts.clusters:,} clusters: {counts.pristine:,} pristine, "
        f"{counts.fake:,} fake",
        "Data, protocol": f"{run.data}, {run.protocol}{' (illustration only)' if run.illustration else ''}",
        "Results": result.folder,
        "Detector": run.detector,
        "Weights' hash": run.weights,
        "Attack's fingerprint": run.attack.digest,
        "Test faces' fingerprint": run.test_faces,
        "Intervals": f"95 %, {drawn.resamples:,} resamples of {drawn.unit}s, seed {drawn.seed}",
        "Threshold": None if threshold.value is None else f"{threshold.value:.3f} ({threshold.rule})",
        "Git commit": commit,
        "Started": result.started,
        "Took": f"{seconds:,} s" if isinstance(seconds, int | float) else None,
        **{name.title(): provenance.get(name) for name in ("device", "platform", "python")},
    }
    return {name: str(value) for name, value in known.items() if value}


def _picture(png: Path, svg: Path) -> str:
    """A figure as a data URI: text stays text in an SVG, but thousands of points are cheaper as pixels."""
    drawing, pixels = svg.read_bytes(), png.read_bytes()
    if len(drawing) > max(_SVG_LIMIT, len(pixels)):
        return _data_uri("image/png", pixels)
    return _data_uri("image/svg+xml", drawing)


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _policy(style: str, script: str) -> str:
    """The Content-Security-Policy: nothing but pictures in the page itself, its one style and its one script."""
    digests = [base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in (style, script)]
    own = f"img-src data:; style-src 'sha256-{digests[0]}'; script-src 'sha256-{digests[1]}'"
    return f"default-src 'none'; {own}; base-uri 'none'; form-action 'none'"
