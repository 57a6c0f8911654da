"""Published figures next to the user's own: `compare=paper`."""

from collections.abc import Mapping, Sequence
from typing import Any

from sr_deepfake.experiment.results import Result
from sr_deepfake.metrics.figures import Figure
from sr_deepfake.reporting.grid import ReportGrid, newest
from sr_deepfake.reporting.numbers import HEADINGS, TABLE, UNDEFINED, decimal, show, show_value
from sr_deepfake.reporting.published import ATTACK, DATA, FACES, published_rates, published_similarity
from sr_deepfake.reporting.table import ReportTable
from sr_deepfake.reporting.tables import NAMES, WHO, bootstrapped, caption, detector_rows, similarity_of
from sr_deepfake.reporting.verdicts import is_published_correlation, verdict_table
from sr_deepfake.system.errors import UserError

_SHARED = {"extraction.frames": 10, "extraction.margin": 0.1}
# What the paper's two protocols do about the crops and the detector's input.
_OPTIONS = {
    "paper": _SHARED | {"extraction.square": "longer", "protocol.resize": "bilinear"},
    "authors_code": _SHARED | {"extraction.square": "shorter", "protocol.resize": "authors"},
}


def comparison_tables(grid: ReportGrid, results: Sequence[Result], force: bool) -> list[ReportTable]:
    """The paper's sentences judged, and tables 1, 2 and 3 with the published figure and the difference next to each."""
    labels = check_comparable(grid, force)
    prefix = "NOT COMPARABLE: " if grid.data != DATA else ""
    correlated = newest(
        [result for result in results if is_published_correlation(result) and result.run.data == grid.data]
    )
    return [
        verdict_table(grid, correlated, labels, prefix),
        *(_rates(grid, which, labels, prefix) for which in (1, 2)),
        _similarity(grid, labels, prefix),
    ]


def check_comparable(grid: ReportGrid, force: bool) -> list[str]:
    """See whether the paper's figures are of the same thing."""
    labels = []
    if grid.data != DATA:
        why = f"these results are of data={grid.data}, the paper's of FaceForensics++"
        if not force:
            raise UserError(
                f"compare=paper: {why}, so a difference would say nothing; compare_force=true shows both, labelled"
            )
        labels.append(f"Forced comparison of different things: {why}; the differences say nothing.")
    results = grid.results
    counts = {(result.run.trained_faces, result.metrics.counts.faces) for result in results} - {FACES}
    if counts:
        listed = ", ".join(f"{train:,} / {test:,}" for train, test in sorted(counts))
        labels.append(
            f"NOT COMPARABLE in number: the paper trains on {FACES[0]:,} faces and tests on {FACES[1]:,}; these are {listed}."
        )
    if all(result.run.attack.kind_and_strength != ATTACK for result in results):  # whatever the weights
        labels.append(f"The paper's attack is {ATTACK}, these figures are of {grid.attack}.")
    if grid.protocol not in _OPTIONS:
        labels.append(f"These detectors were trained with protocol={grid.protocol}, which is not the paper's.")
    configs = [result.config for result in results]
    if any(_option(config, "sr_model.weights") is None for config in configs if "sr_model" in config):
        labels.append("EDSR has this package's weights here, not its authors' (sr_model.weights=official).")
    compressions = {_option(config, "data.source.compression") for config in configs} - {None, "c23"}
    if compressions:
        labels.append(f"The videos are of compression {', '.join(sorted(map(str, compressions)))}, not c23.")
    different = []
    for name, expected in _OPTIONS.get(grid.protocol, {}).items():
        found = {_option(config, name) for config in configs} - {None, expected}
        different += [f"{name}={value}, not {expected}" for value in sorted(found, key=str)]
    if different:
        labels.append(f"Other than protocol={grid.protocol}: {'; '.join(different)}.")
    return labels


def _option(config: Any, path: str) -> Any:
    """An option of a stored configuration; None where it has none."""
    for name in path.split("."):
        config = config.get(name) if isinstance(config, Mapping) else None
    return config


def _rates(grid: ReportGrid, which: int, labels: Sequence[str], prefix: str) -> ReportTable:
    rows = []
    for row, entry, setup in detector_rows(grid, which):
        paper = published_rates().get((which, entry.model, entry.method, setup != "clean"), {})
        for metric in TABLE:
            value = entry.figure(setup, metric).value
            row += _compared(show(value), value and 100 * value, paper.get(metric), 1)
        rows.append(row)
    headings = [HEADINGS[metric] for metric in TABLE]
    columns = [name for own in headings for name in (own, f"{own} paper", f"{own} Δ")]
    return ReportTable(
        name=f"table_{which}_paper",
        title=f"{prefix}Table {which} and the paper's",
        columns=[*NAMES, *columns],
        rows=rows,
        caption=caption(grid, f"{WHO[which]} Own figure, the paper's (in %), the difference in points."),
        text_columns=3,
        group_by=2,
        remarks=labels,
    )


def _similarity(grid: ReportGrid, labels: Sequence[str], prefix: str) -> ReportTable:
    published = published_similarity()
    rows = []
    for name, own in similarity_of(grid).items():
        ssim, psnr = published.get(name, (None, None))
        alike, wrapped = own.get("ssim_224", Figure()), own.get("psnr_224_wrapped", Figure())
        rows.append(
            [
                *(name, show(own["ssim"].value, ""), show(own["psnr"].value, "dB")),
                *_compared(show_value(alike, ""), alike.value, ssim, 3),
                *_compared(show_value(wrapped, "dB"), wrapped.value, psnr, 1),
            ]
        )
    return ReportTable(
        name="table_3_paper",
        title=f"{prefix}Table 3 and the paper's",
        columns=[
            "Forgery Method", "SSIM", "PSNR (dB)", "SSIM at 224 px", "SSIM paper", "SSIM Δ",
            "PSNR at 224 px, wrapped (dB)", "PSNR paper (dB)", "PSNR Δ (dB)",
        ],
        rows=rows,
        caption=caption(grid, f"Own figure, the paper's, the difference. {bootstrapped(entry.metrics for entry in grid.shown)}"),
        remarks=[
            "The paper's figures are compared with those that are computed as its script does: after both pictures are "
            "resized to 224 px, the PSNR on 8-bit numbers that wrap around. Its faces are of all videos of a method, "
            "training ones included; these are test faces.",
            *labels,
        ],
    )  # fmt: skip


def _compared(own: str, value: float | None, paper: float | None, decimals: int) -> list[str]:
    """One's own figure, the paper's, and the difference of the rounded figures, as a reader would subtract them."""
    if paper is None:
        return [own, UNDEFINED, UNDEFINED]
    difference = UNDEFINED if value is None else decimal(round(value, decimals) - paper, decimals, signed=True)
    return [own, f"{paper:.{decimals}f}", difference]
