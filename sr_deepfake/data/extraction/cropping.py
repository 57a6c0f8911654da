"""Squares that are cut from frames as face crops."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Crop:
    """A square of a frame: its first column, first row and side, px."""

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
    """Square around a face, cut without resampling."""
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
