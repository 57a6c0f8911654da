"""Published figures beside the user's own, and the difference: `compare=paper`."""

from collections.abc import Mapping, Sequence
from typing import Any

from sr_deepfake.reporting.grid import ReportGrid
from sr_deepfake.reporting.numbers import HEADINGS, model_name, number, signed
from sr_deepfake.reporting.published import (
    ATTACK,
    CORRELATION,
    CORRELATION_ATTACK,
    DATA,
    published_rates,
    published_similarity,
)
from sr_deepfake.reporting.table import ReportTable, Row
from sr_deepfake.reporting.tables import (
    ATTACKED,
    CLEAN,
    NAMES,
    WHO,
    caption,
    row_of,
    similarity_of,
    similarity_rows,
)
from sr_deepfake.system.errors import UserError

_PAPER_PROTOCOLS = ("paper", "authors_code")
# What the two protocols do, in this order, about the crops and the detector's input.
_OPTIONS = {
    "extraction.frames": (10, 10),
    "extraction.margin": (0.1, 0.1),
    "extraction.square": ("longer", "shorter"),
    "protocol.resize": ("bilinear", "authors"),
}


def check_comparable(grid: ReportGrid, force: bool) -> list[str]:
    """See whether the paper's figures are of the same thing.

    Args:
        grid: the user's own figures.
        force: compare all the same.

    Returns:
        What the comparison has to be labelled with: sentences.

    Raises:
        UserError: the data are other than the paper's, and it is not forced.
    """
    labels = []
    if grid.data != DATA:
        why = f"these results are of data={grid.data}, the paper's of FaceForensics++"
        if not force:
            raise UserError(
                f"compare=paper: {why}, so a difference would say nothing; leave it out, or see them side by side, "
                "labelled, with compare_force=true"
            )
        labels.append(f"Forced comparison of different things: {why}; the differences say nothing.")
    if all(result.attack_and_strength != ATTACK for _, result in grid.attacked):  # whatever the weights
        labels.append(f"The paper's attack is {ATTACK}, these figures are of {grid.attack}.")
    if grid.protocol not in _PAPER_PROTOCOLS:
        labels.append(
            f"These detectors were trained with protocol={grid.protocol}, which is not the paper's."
        )
    told = [result.config for _, result in grid.attacked]
    if any(_option(config, "sr_model", "weights") is None for config in told if "sr_model" in config):
        labels.append(
            "EDSR has the weights of this package here, not its authors' (sr_model.weights=official)."
        )
    compressions = {_option(config, "data", "source", "compression") for config in told} - {None, "c23"}
    if compressions:
        labels.append(f"The videos are of compression {', '.join(sorted(map(str, compressions)))}, not c23.")
    if grid.protocol in _PAPER_PROTOCOLS:
        labels += _other_options(grid.protocol, told)
    return labels


def _other_options(protocol: str, configs: Sequence[Any]) -> list[str]:
    different = []
    for name, values in _OPTIONS.items():
        expected = values[_PAPER_PROTOCOLS.index(protocol)]
        found = {_option(config, *name.split(".")) for config in configs} - {None, expected}
        different += [f"{name}={value}, not {expected}" for value in sorted(found, key=str)]
    return [f"Other than protocol={protocol}: {'; '.join(different)}."] if different else []


def _option(config: Any, *path: str) -> Any:
    """An option of a stored configuration; None where it has none."""
    for name in path:
        config = config.get(name) if isinstance(config, Mapping) else None
    return config


def comparison_tables(grid: ReportGrid, force: bool, illustration: str | None = None) -> list[ReportTable]:
    """Tables 1, 2 and 3 with the published figure and the difference beside each; with K = 4, the correlation.

    Args:
        grid: the user's own figures.
        force: compare although the data are not the paper's.
        illustration: the caption that says that the figures are illustrations.

    Raises:
        UserError: the data are other than the paper's, and it is not forced.
    """
    labels = check_comparable(grid, force)
    prefix = "NOT COMPARABLE: " if grid.data != DATA else ""
    tables = [_rates(grid, which, labels, prefix, illustration) for which in (1, 2)]
    tables.append(_similarity(grid, labels, prefix, illustration))
    if grid.attacked and all(result.attack_and_strength == CORRELATION_ATTACK for _, result in grid.attacked):
        tables.append(_correlation(grid, labels, prefix, illustration))
    return tables


def _rates(
    grid: ReportGrid, which: int, labels: Sequence[str], prefix: str, illustration: str | None
) -> ReportTable:
    rows: list[Row] = []
    for entry in grid.shown:
        for attacked in (False, True):
            own = row_of(entry, which, attacked) or {}
            paper = published_rates().get((which, entry.model, entry.forgery, attacked), {})
            row: list[str | None] = [model_name(entry.model), entry.forgery, ATTACKED if attacked else CLEAN]
            for rate in HEADINGS:
                ours, theirs = own.get(rate), paper.get(rate)
                row += [number(ours, 1, 100), number(theirs, 1), _difference(ours, theirs, 1, 100)]
            rows.append(row)
    columns = [name for rate in HEADINGS.values() for name in (rate, f"{rate} paper", f"{rate} Δ")]
    return ReportTable(
        name=f"table_{which}_paper",
        title=f"{prefix}Table {which} beside the paper's",
        columns=[*NAMES, *columns],
        rows=rows,
        caption=caption(
            grid, f"{WHO[which]} Own figure, the paper's, the difference in points.", illustration
        ),
        text_columns=3,
        group_by=2,
        remarks=labels,
    )


def _similarity(
    grid: ReportGrid, labels: Sequence[str], prefix: str, illustration: str | None
) -> ReportTable:
    found, published = similarity_of(grid), published_similarity()
    rows: list[Row] = []
    for name in similarity_rows(grid):
        own, (ssim, psnr) = found.get(name, {}), published.get(name, (None, None))
        alike, wrapped = own.get("ssim_224"), own.get("psnr_224_wrapped")
        rows.append(
            [
                name,
                *(number(own.get("ssim"), 3), number(own.get("psnr"), 1)),
                *(number(alike, 3), number(ssim, 3), _difference(alike, ssim, 3)),
                *(number(wrapped, 1), number(psnr, 1), _difference(wrapped, psnr, 1)),
            ]
        )
    return ReportTable(
        name="table_3_paper",
        title=f"{prefix}Table 3 beside the paper's",
        columns=[
            "Forgery Method", "SSIM", "PSNR (dB)", "SSIM at 224 px", "SSIM paper", "SSIM Δ",
            "PSNR at 224 px, wrapped (dB)", "PSNR paper (dB)", "PSNR Δ (dB)",
        ],
        rows=rows,
        caption=caption(grid, "Own figure, the paper's, the difference.", illustration),
        remarks=[
            "The paper's figures are compared with those that are computed as its script does: after both pictures are "
            "resized to 224 px, the PSNR on 8-bit numbers that wrap around. Those at the faces' own size stand before.",
            f"The paper's correlation of SSIM with the change of score is of {CORRELATION_ATTACK}: results of "
            "attack=sr attack.scale=4 are compared with it.",
            *labels,
        ],
    )  # fmt: skip


def _correlation(
    grid: ReportGrid, labels: Sequence[str], prefix: str, illustration: str | None
) -> ReportTable:
    rows: list[Row] = []
    for entry, result in grid.attacked:
        row: list[str | None] = [model_name(entry.model), entry.forgery]
        for measure in ("ssim", "ssim_224"):
            r = result.metrics["correlation"]["pooled"][measure]["score"]["pearson"]
            low, high = result.interval("correlation", "pooled", measure, "score", "pearson") or (None, None)
            around = None if low is None or high is None else f"{signed(low, 2)} … {signed(high, 2)}"
            row += [None if r is None else signed(r, 3), around]
            if measure == "ssim_224":
                row.append(None if r is None else "yes" if abs(r) < CORRELATION else "no")
        rows.append(row)
    return ReportTable(
        name="correlation_paper",
        title=f"{prefix}Correlation beside the paper's",
        columns=[
            *NAMES[:2], "r, SSIM", "95 %", "r, SSIM at 224 px", "95 % at 224 px", f"|r| < {CORRELATION:g} as published",
        ],
        rows=rows,
        caption=caption(
            grid, "Pearson's r of SSIM with the change of score, all faces, intervals over videos.", illustration
        ),
        text_columns=2,
        group_by=1,
        remarks=[
            f"The paper's tables are of {ATTACK}, its correlation of {CORRELATION_ATTACK} and of SSIM at 224 px.",
            *labels,
        ],
    )  # fmt: skip


def _difference(own: float | None, paper: float | None, decimals: int, factor: int = 1) -> str | None:
    """Difference of the rounded figures, as a reader would subtract them."""
    shown = number(own, decimals, factor)
    if shown is None or paper is None:
        return None
    return signed(float(shown) - paper, decimals)
