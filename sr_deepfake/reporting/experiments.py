"""Tables and figures of the experiments that the paper left open, where their runs exist: a pivot and a plot each."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from sr_deepfake.experiment.results import UNDEFENDED, Result
from sr_deepfake.metrics.setups import run_metrics
from sr_deepfake.reporting.figures.style import COLOURS, GREYS, LINES, MARKERS, ReportFigure, drawn, file_name
from sr_deepfake.reporting.grid import ReportGrid, newest, ordered
from sr_deepfake.reporting.numbers import CHANGED, UNDEFINED, show, show_change
from sr_deepfake.reporting.published import METHODS, model_name
from sr_deepfake.reporting.table import ReportTable
from sr_deepfake.reporting.tables import bootstrapped, caption

Part = tuple[ReportTable, ReportFigure]
_CELLS = ("clean", "attacked", "change")  # columns of a metric
BINS = 4  # quantiles of the face's side
RESAMPLES = 500  # of each bin
_SHORT = {"Deepfakes": "DF", "Face2Face": "F2F", "FaceSwap": "FS", "FaceShifter": "FSh", "NeuralTextures": "NT"}


def experiment_parts(results: Sequence[Result], grid: ReportGrid) -> list[Part]:
    """The experiments that some results of the grid's data set and protocol belong to."""
    known = newest([result for result in results if result.run.fits(grid.data, grid.protocol)])
    attacked = [result for result in known if result.is_attacked and result.run.test_side is None]
    parts = [_resolution(grid), _networks(attacked, grid), _defence(attacked, grid), *_transfer(attacked, grid)]
    return [part for part in parts if part is not None]


def _row(result: Result) -> dict[str, Any]:
    """The labels of a result, its rates as fractions, and its cells."""
    run, ssim = result.run, result.metrics.value("similarity/fake", "ssim")
    trained = UNDEFINED if run.defence == UNDEFENDED else "yes" if run.defence_attack == run.attack.name else "no"
    row: dict[str, Any] = {
        "Model": model_name(run.model), "Trained on": run.trained_on, "Tested on": run.forgery, "Defence": run.defence,
        "Attack": run.attack.kind_and_strength, "Network": run.attack.network, "K": str(run.attack.scale),
        "In training": trained, "SSIM": show(ssim, ""), "ssim": ssim, "metrics": result.metrics,
    }  # fmt: skip
    for metric in CHANGED:
        clean, attacked = (result.metrics.figure(setup, metric) for setup in ("clean", "both"))
        row |= {f"{metric} clean": clean.value, f"{metric} both": attacked.value}
        cells = (show(clean.value), show(attacked.value), show_change(attacked))
        row |= dict(zip((f"{metric.upper()} {word}" for word in _CELLS), cells, strict=True))
    return row


def _summary(
    name: str,
    title: str,
    frame: pd.DataFrame,
    labels: list[str],
    draw: Callable[[Figure, pd.DataFrame], None],
    grid: ReportGrid,
    remark: str,
    height: float = 2.6,
) -> Part:
    columns = [*labels, *(f"{metric.upper()} {word}" for metric in CHANGED for word in _CELLS)]
    words = f"Rates in %, changes in points, all faces attacked. {bootstrapped(frame['metrics'])}"
    table = ReportTable(
        name=name,
        title=title,
        columns=columns,
        rows=frame[columns].to_numpy().tolist(),
        caption=caption(grid, words),
        text_columns=len(labels) - labels.count("SSIM"),
        remarks=[remark],
    )
    rates = [f"{metric} {setup}" for metric in CHANGED for setup in ("clean", "both")]
    numbers = frame.astype(dict.fromkeys([*rates, "ssim"], float))
    return table, ReportFigure(name, title, remark, drawn(lambda figure: draw(figure, numbers), height=height))


def _look(number: int) -> dict[str, Any]:
    """Line, marker and grey of a series."""
    return {"linestyle": LINES[number % 4], "marker": MARKERS[number % 8], "color": GREYS[number % 4]}


def _resolution(grid: ReportGrid) -> Part | None:
    """Success by the face's side: all detectors of the grid together, in quantiles of the side."""
    tables = [
        result.predictions.assign(face_id=f"{number}/" + result.predictions["face_id"])
        for number, result in enumerate(each for pool in grid.results for each in pool.seeds or (pool,))
    ]
    faces = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame({"side": []})
    faces = faces[faces["side"] > 0]  # a table of scores need not say it
    if faces["side"].nunique() < 2:
        return None
    edges = np.unique(np.quantile(faces["side"], np.arange(1, BINS + 1) / BINS, method="inverted_cdf")).astype(int)
    rows = []
    for low, high in zip([0, *edges[:-1]], edges, strict=True):
        chosen = faces[(faces["side"] > low) & (faces["side"] <= high)]
        result = replace(grid.results[0], metrics=run_metrics(chosen, resamples=RESAMPLES))
        side = f"≤ {high}" if not low else f"> {low}" if high == edges[-1] else f"{low + 1}–{high}"
        counts = result.metrics.counts
        rows.append({**_row(result), "Side (px)": side, "Pristine": str(counts.pristine), "Fake": str(counts.fake)})

    def draw(figure: Figure, frame: pd.DataFrame) -> None:
        for panel, metric in zip(figure.subplots(2, 1, sharex=True), ("fnr", "fpr"), strict=True):
            for number, (setup, word) in enumerate((("clean", "clean"), ("both", "attacked"))):
                panel.plot(frame["Side (px)"], frame[f"{metric} {setup}"] * 100, label=word, **_look(number))
            panel.set(ylabel=f"{metric.upper()} (%)", ylim=(0, None))
        panel.set_xlabel("side of the face (px)")
        figure.legend(*panel.get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False)

    title = f"Success of {grid.attack} by the face's side"
    remark = "All detectors of the grid together; bins by quantiles of the side."
    labels = ["Side (px)", "Pristine", "Fake"]
    return _summary("resolution", title, pd.DataFrame(rows), labels, draw, grid, remark, height=3.0)


def _networks(attacked: Sequence[Result], grid: ReportGrid) -> Part | None:
    """Several networks, and interpolation in their place: FNR against SSIM."""
    found = [result for result in attacked if result.run.is_plain and result.run.attack.network]
    if len({result.run.attack.network for result in found}) < 2:
        return None
    frame = pd.DataFrame(map(_row, found)).sort_values(["Network", "K", "Model", "Tested on"])

    def draw(figure: Figure, frame: pd.DataFrame) -> None:
        axes = figure.subplots()
        means = frame.groupby(["Network", "K"])[["ssim", "fnr both"]].mean().reset_index()
        for number, (network, points) in enumerate(means.groupby("Network")):
            axes.plot(points["ssim"], points["fnr both"] * 100, label=str(network), **_look(number))
            for scale, ssim, fnr in zip(points["K"], points["ssim"], points["fnr both"] * 100, strict=True):
                axes.annotate(f"×{scale}", (ssim, fnr), (2, 3), textcoords="offset points")
        axes.axhline(frame["fnr clean"].mean() * 100, color="0.7", linewidth=0.8, label="clean", zorder=0)
        axes.set(xlabel="SSIM of attacked fakes", ylabel="FNR (%)", ylim=(0, None))
        axes.locator_params(axis="x", nbins=4)  # the labels of near values are long
        figure.legend(loc="outside upper center", ncols=4, frameon=False)

    remark = "The figure shows means over detectors. bicubic and lanczos are the controls: the same scaling without a network."
    labels = ["Network", "K", "Model", "Tested on", "SSIM"]
    return _summary(
        "sr_models", "Networks and interpolation in the attack", frame, labels, draw, grid, remark, height=2.4
    )


def _defence(attacked: Sequence[Result], grid: ReportGrid) -> Part | None:
    """Defended and undefended detectors, under attacks that were in the training and others."""
    defended = [result for result in attacked if result.run.defence != UNDEFENDED]
    pairs = {(result.run.model, result.run.trained_on) for result in defended}
    attacks = {result.run.attack.name for result in defended}
    found = [
        result
        for result in attacked
        if (result.run.model, result.run.trained_on) in pairs
        and result.run.trained_on == result.run.forgery
        and result.run.attack.name in attacks
    ]
    if not defended:
        return None
    frame = pd.DataFrame(map(_row, found)).sort_values(["Model", "Tested on", "Attack", "Defence"])

    def draw(figure: Figure, frame: pd.DataFrame) -> None:
        for panel, metric in zip(figure.subplots(2, 1, sharex=True), ("fnr", "fpr"), strict=True):
            wide = frame.pivot_table(index="Attack", columns="Defence", values=f"{metric} both") * 100
            wide.insert(0, "clean, none", frame[frame["Defence"] == UNDEFENDED][f"{metric} clean"].mean() * 100)
            wide.plot.bar(ax=panel, legend=False, rot=0, color=list(COLOURS), edgecolor="black", linewidth=0.5)
            panel.set(ylabel=f"{metric.upper()} (%)", xlabel="")
        figure.legend(*panel.get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False)

    remark = (
        "Defence: what a training face is replaced by, and with which probability p. Validation faces, which choose the epoch, "
        "are not attacked. In training: whether the defended detector was trained on this attack. The figure shows means."
    )
    labels = ["Model", "Tested on", "Defence", "Attack", "In training"]
    return _summary(
        "defence", "Attacked faces in the training as a defence", frame, labels, draw, grid, remark, height=2.8
    )


def _transfer(attacked: Sequence[Result], grid: ReportGrid) -> list[Part]:
    """Detectors of one method on the fakes of another: for each model and attack a matrix of AUC and FNR."""
    own = [r for r in attacked if r.run.defence == UNDEFENDED and not r.run.is_external and not r.run.crosses_data]
    parts = []
    for model, attack in dict.fromkeys((result.run.model, result.run.attack.name) for result in own):
        found = [r for r in own if (r.run.model, r.run.attack.name) == (model, attack)]
        if all(result.run.trained_on == result.run.forgery for result in found):
            continue
        order = ordered({method for r in found for method in (r.run.trained_on, r.run.forgery)}, METHODS).index
        found.sort(key=lambda result: (order(result.run.trained_on), order(result.run.forgery)))
        frame = pd.DataFrame(map(_row, found))
        title = f"Transfer between forgery methods: {model_name(model)}, attack {attack}"
        remark = "A detector of one method (trained on) meets the fakes of another (tested on) among pristine faces."
        name = file_name(f"transfer_{model}_{attack}")
        parts.append(_summary(name, title, frame, ["Trained on", "Tested on"], _matrices, grid, remark, height=3.4))
    return parts


def _matrices(figure: Figure, frame: pd.DataFrame) -> None:
    panels: Any = figure.subplots(2, 2, sharex=True, sharey=True)
    order = [ordered(set(frame[name]), METHODS) for name in ("Trained on", "Tested on")]
    for panel, (metric, setup) in zip(
        panels.flat, ((m, s) for m in ("auc", "fnr") for s in ("clean", "both")), strict=True
    ):
        wide = frame.pivot_table(index="Trained on", columns="Tested on", values=f"{metric} {setup}", dropna=False)
        values = wide.reindex(index=order[0], columns=order[1]).to_numpy(dtype=float) * 100
        panel.imshow(values, cmap="Greys", vmin=0, vmax=130)  # the darkest grey still shows its frame
        for (row, column), value in np.ndenumerate(values):
            text = UNDEFINED if np.isnan(value) else f"{value:.0f}"
            panel.text(column, row, text, ha="center", va="center", color="white" if value > 70 else "black")
        panel.set_title(f"{metric.upper()}, {'clean' if setup == 'clean' else 'attacked'} (%)")
        panel.set_xticks(range(len(order[1])), [_SHORT.get(method, method[:4]) for method in order[1]])
        panel.set_yticks(range(len(order[0])), [_SHORT.get(method, method[:4]) for method in order[0]])
        panel.tick_params(length=0)
    for panel in panels[-1]:
        panel.set_xlabel("tested on")
    for panel in panels[:, 0]:
        panel.set_ylabel("trained on")
