"""Figures of frequencies: what the attack does to the spectrum of faces, and which part of it moves detectors."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from sr_deepfake.data.manifest import PRISTINE
from sr_deepfake.experiment.evidence import Evidence, Spectrum
from sr_deepfake.metrics.spectrum import ring_centres
from sr_deepfake.reporting.figures.style import COLOURS, HATCHES, PAGE, ReportFigure, drawn, label_rows
from sr_deepfake.reporting.grid import Entry, ReportGrid

_SETUPS = {"clean": ("clean", "-", COLOURS[0]), "attacked": ("attacked", "--", COLOURS[1])}
_SETUPS |= {"control": ("without the network", ":", COLOURS[2])}
_CLASSES = {"fake": "Fakes", "pristine": "Pristine faces"}
# In cycles per pixel, as `metrics.spectrum.BANDS`.
BAND_NAMES = ("below 1/16", "1/16 to 1/8", "1/8 to 1/4", "above 1/4")

Found = Sequence[tuple[Entry, Evidence]]  # of each detector


def spectrum_figure(found: Found, grid: ReportGrid) -> ReportFigure | None:
    """Spectra of pristine faces and of each method's fakes; None where no test kept any."""
    spectra = {spectrum.kind: spectrum for _, evidence in reversed(found) for spectrum in evidence.spectra}
    if not spectra or PRISTINE not in spectra:
        return None
    shown = [spectra.pop(PRISTINE), *spectra.values()]
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    faces = ", ".join(f"{spectrum.faces} {spectrum.kind}" for spectrum in shown)
    return ReportFigure(
        name="spectrum",
        title="Spectra of the faces",
        caption="Power of each frequency, averaged over directions, relative to that of clean pristine faces (0 dB). "
        f"Attack: {grid.attack}. Dotted: scaled down and up without its network. Faces: {faces}.",
        figure=drawn(lambda figure: _spectra(figure, shown, columns), 0.45 + 1.55 * rows, PAGE),
    )


def _spectra(figure: Figure, spectra: Sequence[Spectrum], columns: int) -> None:
    rows = -(-len(spectra) // columns)
    panels: Any = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    reference = np.log10(spectra[0].power["clean"])
    for panel in panels.flat[len(spectra) :]:
        panel.axis("off")
    for number, (panel, spectrum) in enumerate(zip(panels.flat, spectra, strict=False)):
        panel.axhline(0, color="0.8", linewidth=0.6, zorder=0)
        for setup, (_, line, colour) in _SETUPS.items():
            if setup in spectrum.power:
                decibels = 10 * (np.log10(spectrum.power[setup]) - reference)
                panel.plot(ring_centres(), decibels, line, color=colour)
        panel.set_title(spectrum.kind)
        panel.set_xlim(0, 0.5)
        if number + columns >= len(spectra):  # the last of its column
            panel.set_xlabel("Cycles per pixel")
            panel.tick_params(labelbottom=True)
    for panel in panels[:, 0]:
        panel.set_ylabel("Power (dB)")
    known = [_SETUPS[setup] for setup in _SETUPS if any(setup in spectrum.power for spectrum in spectra)]
    handles = [Line2D([], [], ls=line, color=colour, label=name) for name, line, colour in known]
    figure.legend(handles=handles, loc="outside upper center", ncols=3, frameon=False)


def band_figure(found: Found, grid: ReportGrid) -> ReportFigure | None:
    """What each band of frequencies moves; None where no test looked."""
    shown = [(entry, evidence) for entry, evidence in found if evidence.bands]
    if not shown:
        return None
    models = {entry.model for entry, _ in shown}
    return ReportFigure(
        name="bands",
        title="Which frequencies of the attack move the detectors",
        caption="Change of the logit of fake, in the mean over faces, where one band of frequencies alone is attacked "
        f"(cycles per pixel), and by the whole attack (diamond: {grid.attack}). To the left fakes get missed, to the "
        "right pristine faces raise alarms. A detector is not linear: bands need not add up to the whole.",
        figure=drawn(
            lambda figure: _bands(figure, shown), height=0.95 + 0.155 * (len(shown) + len(models)), width=PAGE
        ),
    )


def _bands(figure: Figure, shown: Found) -> None:
    panels: list[Axes] = list(figure.subplots(1, 2, sharey=True))
    rows = label_rows(panels, dict.fromkeys(entry.model for entry, _ in shown), [entry for entry, _ in shown])
    for panel, (name, title) in zip(panels, _CLASSES.items(), strict=True):
        for row, (_, evidence) in zip(rows, shown, strict=True):
            if name in evidence.bands:
                _stacked(panel, row, evidence.bands[name])
        panel.set(title=title, xlabel="Change of the logit")
        panel.axvline(0, color="0.3", linewidth=0.6, zorder=0)
        panel.margins(x=0.08)
    handles: list[Patch | Line2D] = [
        Patch(facecolor=colour, hatch=hatch, edgecolor="white", label=name)
        for name, colour, hatch in zip(BAND_NAMES, COLOURS, HATCHES, strict=False)
    ]
    handles.append(Line2D([], [], color="black", marker="D", linestyle="", label="whole attack"))
    figure.legend(handles=handles, loc="outside upper center", ncols=5, frameon=False)


def _stacked(panel: Axes, row: int, moved: Sequence[float]) -> None:
    """Bars of the bands, those to the left and those to the right of 0 each after the other; the whole as a diamond."""
    ends = {True: 0.0, False: 0.0}
    for value, colour, hatch in zip(moved[1:], COLOURS, HATCHES, strict=False):
        right = value > 0
        panel.barh(row, value, 0.7, ends[right], color=colour, hatch=hatch, edgecolor="white", linewidth=0)
        ends[right] += value
    panel.plot(moved[0], row, marker="D", markersize=3.2, color="black", zorder=3)
