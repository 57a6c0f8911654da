"""Figure of where detectors look: Grad-CAM over faces that the attack turned, clean and attacked."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from sr_deepfake.reporting.examples import MISSED, Example
from sr_deepfake.reporting.figures.style import PAGE, ReportFigure, drawn
from sr_deepfake.reporting.numbers import model_name

SHOWN = 6  # of all examples, those whose score moved furthest


def attention_figure(examples: Sequence[Example]) -> ReportFigure | None:
    """The figure; None where no example has maps of heat."""
    looked = [example for example in examples if example.heat is not None]
    looked = sorted(looked, key=lambda example: -abs(example.score_attacked - example.score))[:SHOWN]
    if not looked:
        return None
    rows = -(-len(looked) // 2)
    return ReportFigure(
        name="attention",
        title="Where the detectors look",
        caption="Grad-CAM of the logit of fake, clean and attacked on one scale: bright is what speaks for fake. The "
        "faces whose scores the attack moved furthest; below each face its score.",
        figure=drawn(lambda figure: _draw(figure, looked), height=1.3 * rows, width=PAGE),
    )


def _draw(figure: Figure, examples: Sequence[Example]) -> None:
    rows = -(-len(examples) // 2)
    # A narrow column stands between the left and the right examples; words lie above and below the faces.
    grid = figure.add_gridspec(rows, 9, width_ratios=[1, 1, 1, 1, 0.15, 1, 1, 1, 1])
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.17, hspace=0, wspace=0)  # type: ignore[union-attr, call-arg]
    for place, example in enumerate(examples):
        row, half = divmod(place, 2)
        kind = example.forgery if example.kind == MISSED else f"pristine ({example.forgery})"
        above = f"{model_name(example.model)}, {kind}"
        shown = [
            (example.clean, above, f"{example.score:.2f}"),
            (example.heat, "", ""),
            (example.attacked, "", f"attacked {example.score_attacked:.2f}"),
            (example.heat_attacked, "", ""),
        ]
        for column, (picture, above, below) in enumerate(shown):
            panel = figure.add_subplot(grid[row, 5 * half + column])
            panel.axis("off")
            if picture is not None:
                panel.imshow(picture)
            for words, height, side in ((above, 1.05, "bottom"), (below, -0.05, "top")):
                text = panel.text(0, height, words, va=side, transform=panel.transAxes)
                text.set_in_layout(False)
