"""The page's pictures as data URIs: figures as SVG, faces as WebP, together within what a page may weigh."""

import base64
import io
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from sr_deepfake.reporting.examples import Example, Picture
from sr_deepfake.reporting.figures.style import COLUMN, ReportFigure

# Bytes of a figure's SVG above which its PNG is taken, if that is smaller: thousands of points are cheaper as pixels.
_SVG_LIMIT = 300_000
_TOP = 6  # examples that are shown first
QUALITIES = (92, 85, 75, 60)  # of WebP, the best that fits is taken


@dataclass(frozen=True)
class PageFigure:
    """A figure on the page, with its picture as a data URI."""

    figure: ReportFigure
    picture: str

    @property
    def is_wide(self) -> bool:
        """Whether it is drawn for a paper's page, not for a column."""
        return bool(self.figure.figure.get_figwidth() > 1.2 * COLUMN)


@dataclass(frozen=True)
class PageExample:
    """An example on the page, with its pictures as data URIs.

    Attributes:
        example: of the report.
        is_top: whether its score changed as much as that of few others.
        clean: the face.
        attacked: the face attacked.
        difference: between them.
        heat: where the detector looks in the face; "" where that is not known.
        heat_attacked: the same in the attacked one.
    """

    example: Example
    is_top: bool
    clean: str
    attacked: str
    difference: str
    heat: str
    heat_attacked: str

    @property
    def detector(self) -> str:
        """Name of the face."""
        return f"{self.example.model} on {self.example.forgery}"


@dataclass(frozen=True)
class PageExamples:
    """The examples that a page shows.

    Attributes:
        shown: as many as fit, in the report's order.
        left_out: how many did not.
        quality: of WebP, 0 to 100.
    """

    shown: list[PageExample]
    left_out: int
    quality: int


def page_figures(figures: Sequence[ReportFigure], illustration: str | None) -> list[PageFigure]:
    """Draw figures into data URIs.

    Args:
        figures: of the report.
        illustration: the caption that says that figures are illustrations.
    """
    shown = []
    with tempfile.TemporaryDirectory() as folder:
        for figure in figures:
            png, svg = figure.write(Path(folder), illustration)
            drawing, pixels = svg.read_bytes(), png.read_bytes()
            if len(drawing) > max(_SVG_LIMIT, len(pixels)):
                shown.append(PageFigure(figure, data_uri("image/png", pixels)))
            else:
                shown.append(PageFigure(figure, data_uri("image/svg+xml", drawing)))
    return shown


def page_examples(examples: Sequence[Example], room: int) -> PageExamples:
    """Encode examples' pictures at the best quality at which all of them fit.

    Args:
        examples: of the report.
        room: bytes that they may take, as data URIs.

    Returns:
        All, or as many of the first as fit at the lowest quality.
    """
    largest = sorted((abs(example.score_attacked - example.score) for example in examples), reverse=True)[
        :_TOP
    ]
    for quality in QUALITIES:
        encoded = [
            PageExample(
                example,
                abs(example.score_attacked - example.score) >= largest[-1],
                *(
                    "" if picture is None else webp(picture, quality)
                    for picture in (
                        example.clean,
                        example.attacked,
                        example.difference,
                        example.heat,
                        example.heat_attacked,
                    )
                ),
            )
            for example in examples
        ]
        if sum(map(_weight, encoded)) <= room:
            return PageExamples(encoded, 0, quality)
    fitting = []
    for example in encoded:
        room -= _weight(example)
        if room < 0:
            break
        fitting.append(example)
    return PageExamples(fitting, len(encoded) - len(fitting), QUALITIES[-1])


def webp(picture: Picture, quality: int) -> str:
    """A picture as a data URI.

    Args:
        picture: S×S×3 uint8, RGB.
        quality: 0 to 100.
    """
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "WEBP", quality=quality, method=4)
    return data_uri("image/webp", file.getvalue())


def data_uri(kind: str, content: bytes) -> str:
    """Content that stands in the page itself.

    Example:
        >>> data_uri("image/png", b"abc")
        'data:image/png;base64,YWJj'
    """
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _weight(example: PageExample) -> int:
    pictures = (example.clean, example.attacked, example.difference, example.heat, example.heat_attacked)
    return sum(map(len, pictures))
