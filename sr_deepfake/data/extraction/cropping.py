"""Squares that are cut from frames as face crops."""

from dataclasses import dataclass

SQUARES = ("longer", "shorter")


@dataclass(frozen=True)
class Crop:
    """A square of a frame.

    Attributes:
        left: of its first column, px.
        top: of its first row, px.
        side: px.
    """

    left: int
    top: int
    side: int


def square_crop(
    box: tuple[float, float, float, float],
    frame_height: int,
    frame_width: int,
    margin: float = 0.1,
    multiple: int = 24,
    square: str = "longer",
) -> Crop | None:
    """Square around a face, cut without resampling.

    The box gains `margin` of its width on the left and on the right and of its height above and below. The
    square has the box's centre and its longer (or shorter) side, rounded to the nearest multiple of `multiple` so that
    the scales 2, 3 and 4 divide it. It is then moved into the frame, and made smaller only when the frame is
    smaller.

    Args:
        box: left, top, right, bottom of the face, px. May reach beyond the frame.
        frame_height: px.
        frame_width: px.
        margin: part of the box's size added on each side.
        multiple: the crop's side is a multiple of this, px.
        square: on the box's "longer" side; or, as the script in the paper's code cuts, on the "shorter" one.

    Returns:
        The square, or None when the frame is smaller than `multiple`.

    Raises:
        ValueError: when the box has no area, or `margin` or `multiple` makes no sense.

    >>> square_crop((100, 100, 200, 220), frame_height=480, frame_width=640)
    Crop(left=78, top=88, side=144)
    >>> square_crop((0, 0, 100, 100), frame_height=480, frame_width=640)
    Crop(left=0, top=0, side=120)
    """
    left, top, right, bottom = box
    if not (right > left and bottom > top):
        raise ValueError(f"the box {box} has no area")
    if margin < 0 or multiple < 1:
        raise ValueError(f"margin must be at least 0 and multiple at least 1, not {margin} and {multiple}")
    largest = min(frame_height, frame_width) // multiple * multiple
    if largest == 0:
        return None
    sides = (right - left, bottom - top)
    chosen = (min(sides) if square == "shorter" else max(sides)) * (1 + 2 * margin)
    side = min(max(int(chosen / multiple + 0.5), 1) * multiple, largest)
    crop_left = round((left + right - side) / 2)
    crop_top = round((top + bottom - side) / 2)
    return Crop(
        left=min(max(crop_left, 0), frame_width - side), top=min(max(crop_top, 0), frame_height - side), side=side
    )
