"""Which points of a face the landmarks are, by name: groups of MediaPipe Face Mesh vertices.

A landmark array has the shape `P×2` (one face) or `N×P×2` (a clip), in pixels of the frame: x to the right, y
down, the first pixel's centre at (0, 0). Its rows follow `VERTICES`; the groups below are row numbers.
"""

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

# Numbers of the vertices in MediaPipe's face mesh. "Right" is the person's right, left in the picture.
_GROUPS: dict[str, tuple[int, ...]] = {
    # Clockwise in the picture, from the middle of the forehead.
    "oval": (
        *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
        *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
    ),
    # Both from the right corner over the upper lip to the left corner and back along the lower lip.
    "outer_lips": (
        *(61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291),
        *(375, 321, 405, 314, 17, 84, 181, 91, 146),
    ),
    "inner_lips": (
        *(78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308),
        *(324, 318, 402, 317, 14, 87, 178, 88, 95),
    ),
    # From the corner that is further left in the picture over the upper lid and back along the lower lid.
    "right_eye": (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
    "left_eye": (362, 398, 384, 385, 386, 387, 388, 466, 263, 249, 390, 373, 374, 380, 381, 382),
    "right_brow": (70, 63, 105, 66, 107, 55, 65, 52, 53, 46),
    "left_brow": (336, 296, 334, 293, 300, 276, 283, 282, 295, 285),
    "nose": (
        *(168, 6, 197, 195, 5, 4, 1, 19, 94, 2, 97, 326),
        *(98, 327, 64, 294, 48, 278, 115, 344, 220, 440, 45, 275),
    ),
    "forehead": (151, 9, 8, 108, 337, 69, 299, 71, 301),
    "cheeks": (
        *(50, 280, 101, 330, 205, 425, 187, 411, 117, 346, 118, 347),
        *(123, 352, 147, 376, 213, 433, 207, 427, 36, 266, 142, 371),
    ),
    # Between nose and upper lip, beside the mouth, and the chin.
    "chin": (
        *(164, 165, 391, 92, 322, 216, 436, 57, 287, 212, 432, 214),
        *(434, 202, 422, 18, 200, 199, 201, 421, 194, 418, 211, 431),
    ),
}

VERTICES: tuple[int, ...] = tuple(vertex for group in _GROUPS.values() for vertex in group)


def group(name: str) -> NDArray[np.intp]:
    """Row numbers of a named group, in its drawing order.

    Args:
        name: `oval`, `outer_lips`, `inner_lips`, `right_eye`, `left_eye`, `right_brow`, `left_brow`, `nose`,
            `forehead`, `cheeks` or `chin`.

    >>> group("oval").shape, int(group("outer_lips")[0])
    ((36,), 36)
    """
    return rows(*_GROUPS[name])


def rows(*vertices: int) -> NDArray[np.intp]:
    """Row numbers of MediaPipe's vertices.

    >>> [int(row) for row in rows(10, 338)]
    [0, 1]
    """
    return np.array([VERTICES.index(vertex) for vertex in vertices], dtype=np.intp)


OVAL = group("oval")
OUTER_LIPS = group("outer_lips")
INNER_LIPS = group("inner_lips")
LIPS = np.concatenate([OUTER_LIPS, INNER_LIPS])
RIGHT_EYE = group("right_eye")
LEFT_EYE = group("left_eye")
RIGHT_BROW = group("right_brow")
LEFT_BROW = group("left_brow")
NOSE = group("nose")
MOUTH_CORNERS = rows(61, 291)
RIGHT_EYE_CORNERS = rows(33, 133)
LEFT_EYE_CORNERS = rows(362, 263)
EYE_CORNERS = np.concatenate([RIGHT_EYE_CORNERS, LEFT_EYE_CORNERS])
LOWER_LIP, UPPER_LIP = rows(14)[0], rows(13)[0]
NOSE_TIP = rows(4)[0]
EARS = rows(234, 454)  # the oval's outermost points
# The cheek and jaw line below the ears, from the person's left to the right: what holds the lower face.
JAW = rows(323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136, 172, 58, 132, 93)


def head_yaw(points: Points) -> float:
    """How far a head is turned, from -1 (to the person's right) over 0 (frontal) to 1; averaged over a clip.

    It is the place of the nose's tip between the oval's outermost points.

    Args:
        points: landmarks, `P×2` or `N×P×2`.
    """
    nose, right, left = (points[..., row, 0].mean() for row in (NOSE_TIP, *EARS))
    return float((2 * nose - right - left) / (left - right))
