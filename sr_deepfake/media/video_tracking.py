"""Squares of faces in the frames between two in which faces were looked for."""

from sr_deepfake.data.cropping import Crop

_SAME_FACE = 0.1  # overlap (intersection over union) from which two squares are of one face


def between(first: list[Crop], second: list[Crop], place: float, height: int, width: int) -> list[Crop]:
    """Squares at a place between two frames.

    Squares of the two frames that overlap are one face, best overlap first; its centre and side move evenly, the side
    in steps of 24 px as everywhere. A face of one frame only is taken to appear or vanish half-way: it stays where it
    is in the half that is nearer to its frame. So a cut is placed half-way too.

    Args:
        first: squares of the earlier frame.
        second: of the later one.
        place: 0 is the earlier frame, 1 the later one.
        height: of the frame, px.
        width: of the frame, px.

    Returns:
        The squares, largest first, each inside the frame.

    Example:
        >>> between([Crop(0, 0, 48)], [Crop(8, 4, 48), Crop(200, 0, 24)], 0.25, height=120, width=240)
        [Crop(left=2, top=1, side=48)]
    """
    overlaps = ((overlap(a, b), i, j) for i, a in enumerate(first) for j, b in enumerate(second))
    pairs: dict[int, int] = {}
    for value, i, j in sorted(overlaps, key=lambda entry: (-entry[0], entry[1], entry[2])):
        if value >= _SAME_FACE and i not in pairs and j not in pairs.values():
            pairs[i] = j
    squares = [_move(first[i], second[j], place, height, width) for i, j in pairs.items()]
    if place < 0.5:
        squares += [crop for i, crop in enumerate(first) if i not in pairs]
    else:
        squares += [crop for j, crop in enumerate(second) if j not in pairs.values()]
    return sorted(squares, key=lambda crop: (-crop.side, crop.top, crop.left))


def overlap(first: Crop, second: Crop) -> float:
    """Intersection over union of two squares.

    Example:
        >>> overlap(Crop(0, 0, 24), Crop(12, 0, 24))
        0.3333333333333333
    """
    across = min(first.left + first.side, second.left + second.side) - max(first.left, second.left)
    down = min(first.top + first.side, second.top + second.side) - max(first.top, second.top)
    common = max(across, 0) * max(down, 0)
    return common / (first.side**2 + second.side**2 - common)


def _move(first: Crop, second: Crop, place: float, height: int, width: int) -> Crop:
    sides = (first.side, second.side)
    side = round((sides[0] + place * (sides[1] - sides[0])) / 24) * 24
    side = min(max(side, min(sides)), max(sides))
    corner = []
    for start, end, length in ((first.left, second.left, width), (first.top, second.top, height)):
        centres = (start + sides[0] / 2, end + sides[1] / 2)
        middle = centres[0] + place * (centres[1] - centres[0])
        corner.append(min(max(round(middle - side / 2), 0), length - side))
    return Crop(corner[0], corner[1], side)
