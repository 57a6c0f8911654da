"""Geometry of faces: landmarks, masks, crops, warping by triangles."""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay

Points = NDArray[np.float64]
Image = NDArray[np.float32]
Mask = NDArray[np.float32]
Triangles = NDArray[np.int32]
Matrix = NDArray[np.float64]

# Numbers of the vertices in MediaPipe's face mesh. "Right" is the person's right, left in the picture.
_GROUPS: dict[str, tuple[int, ...]] = {
    # Clockwise in the picture, from the middle of the forehead.
    "oval": (
        *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
        *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
    ),
    # Both from the right corner over the upper lip to the left corner and back along the lower lip.
    "outer_lips": (*(61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291), *(375, 321, 405, 314, 17, 84, 181, 91, 146)),
    "inner_lips": (*(78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308), *(324, 318, 402, 317, 14, 87, 178, 88, 95)),
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


def rows(*vertices: int) -> NDArray[np.intp]:
    """Row numbers of MediaPipe's vertices.

    >>> [int(row) for row in rows(10, 338)]
    [0, 1]
    """
    return np.array([VERTICES.index(vertex) for vertex in vertices], dtype=np.intp)


OVAL = rows(*_GROUPS["oval"])
OUTER_LIPS = rows(*_GROUPS["outer_lips"])
INNER_LIPS = rows(*_GROUPS["inner_lips"])
LIPS = np.concatenate([OUTER_LIPS, INNER_LIPS])
RIGHT_EYE = rows(*_GROUPS["right_eye"])
LEFT_EYE = rows(*_GROUPS["left_eye"])
RIGHT_BROW = rows(*_GROUPS["right_brow"])
LEFT_BROW = rows(*_GROUPS["left_brow"])
NOSE = rows(*_GROUPS["nose"])
MOUTH_CORNERS = rows(61, 291)
RIGHT_EYE_CORNERS = rows(33, 133)
LEFT_EYE_CORNERS = rows(362, 263)
EYES = ((RIGHT_EYE, RIGHT_EYE_CORNERS, RIGHT_BROW), (LEFT_EYE, LEFT_EYE_CORNERS, LEFT_BROW))
EYE_CORNERS = np.concatenate([RIGHT_EYE_CORNERS, LEFT_EYE_CORNERS])
LOWER_LIP, UPPER_LIP = rows(14)[0], rows(13)[0]
NOSE_TIP = rows(4)[0]
EARS = rows(234, 454)  # the oval's outermost points
# The cheek and jaw line below the ears, from the person's left to the right: what holds the lower face.
JAW = rows(323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136, 172, 58, 132, 93)


def head_yaw(points: Points) -> float:
    """Turn of the head, from -1 (to the person's right) over 0 (frontal) to 1; averaged over a clip."""
    nose, right, left = (points[..., row, 0].mean() for row in (NOSE_TIP, *EARS))
    return float((2 * nose - right - left) / (left - right))


def face_size(points: Points) -> float:
    """Size of a face in pixels: the square root of the area inside its oval (`P×2` landmarks)."""
    return float(np.sqrt(cv2.contourArea(points[OVAL].astype(np.float32))))


def face_roll(points: Points) -> float:
    """Angle of the line from eye to eye in radians, clockwise in the picture (`P×2` landmarks)."""
    x, y = points[LEFT_EYE_CORNERS].mean(axis=0) - points[RIGHT_EYE_CORNERS].mean(axis=0)
    return float(np.arctan2(y, x))


def with_ring(points: Points) -> Points:
    """Append the oval, enlarged around its centre, so that a mesh reaches beyond the face: `(P+36)×2`."""
    centre = points[OVAL].mean(axis=0)
    return np.concatenate([points, centre + 1.25 * (points[OVAL] - centre)])


BORDER = 4  # pixels along the frame's edge that no forgery touches


def soft_mask(polygon: Points, side: int, feather: float) -> Mask:
    """Fill a polygon and let it fade inwards."""
    filled = np.zeros((side, side), dtype=np.uint8)
    cv2.fillPoly(filled, [np.round(polygon * 16).astype(np.int32)], 1, shift=4)
    filled[:BORDER] = filled[-BORDER:] = filled[:, :BORDER] = filled[:, -BORDER:] = 0
    depth = cv2.distanceTransform(filled, cv2.DIST_L2, 5)
    ramp = np.clip((depth - 0.5) / feather, 0, 1)
    return np.asarray(ramp * ramp * (3 - 2 * ramp), dtype=np.float32)


def face_polygon(points: Points, scale: float, top: float = 0.0) -> Points:
    """The face's oval, scaled around its centre, `36×2`."""
    oval = points[OVAL]
    centre = oval.mean(axis=0)
    offset = oval - centre
    down = points[OVAL[18]] - points[OVAL[0]]
    height = (offset @ down) / (down @ down)  # -0.5 at the forehead, 0.5 at the chin
    return np.asarray(centre + offset * (scale - top * np.clip(-2 * height, 0, 1))[:, None])


def core_mask(points: Points, side: int) -> Mask:
    """The middle of a face, `side×side`: where it is skin, and no hair or background, that is compared."""
    return soft_mask(face_polygon(points, 0.75, top=0.15), side, feather=1)


def triangulate(points: Points) -> Triangles:
    """Delaunay triangulation of a set of points, `T×3`; it covers their convex hull."""
    return np.asarray(Delaunay(points).simplices, dtype=np.int32)


def piecewise_affine_map(
    source: Points, target: Points, triangles: Triangles, side: int
) -> tuple[Image, NDArray[np.bool_]]:
    """Map each pixel of a square target image to the source, when triangles of `target` show those of `source`."""
    corners = np.concatenate([target[triangles], np.ones((len(triangles), 3, 1))], axis=2)
    solvable = np.abs(np.linalg.det(corners)) > 1e-3
    label = np.full((side, side), -1, dtype=np.int32)
    kept = triangles[solvable]
    for number, polygon in enumerate(np.round(target[kept] * 16).astype(np.int32)):
        cv2.fillConvexPoly(label, polygon, number, lineType=cv2.LINE_8, shift=4)
    inside = label >= 0
    affine = np.linalg.solve(corners[solvable], source[kept])  # T×3×2: from (x, y, 1) to (x, y)
    map_ = np.full((side, side, 2), -1e4, dtype=np.float32)
    y, x = np.nonzero(inside)
    at = np.stack([x, y, np.ones_like(x)], axis=1).astype(np.float64)
    map_[inside] = np.einsum("nc,nck->nk", at, affine[label[inside]])
    return map_, inside


def warp_face(image: Image, source: Points, target: Points, triangles: Triangles, side: int) -> Image:
    """Show the face in `image` with its landmarks moved from `source` to `target`."""
    map_, _ = piecewise_affine_map(source, target, triangles, side)
    return np.asarray(cv2.remap(image, map_[..., 0], map_[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def crop_matrix(points: Points, side: int, extent: float = 1.5) -> Matrix:
    """Similarity from the frame to an upright square crop around a face, `2×3`."""
    centre = points[OVAL].mean(axis=0)
    scale = side / (extent * face_size(points))
    cos, sin = scale * np.cos(face_roll(points)), scale * np.sin(face_roll(points))
    rotation = np.array([[cos, sin], [-sin, cos]])
    # The crop's middle in pixel-centre coordinates, so that crops of different sides show the same.
    return np.column_stack([rotation, (side - 1) / 2 - rotation @ centre])


def transform(points: Points, matrix: Matrix) -> Points:
    """Apply a `2×3` matrix to points, `…×2`."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def render_crop(image: Image, source: Points, target: Points, triangles: Triangles, matrix: Matrix, side: int) -> Image:
    """Warp a face and what is around it as `warp_face` does, seen in the crop that `matrix` describes."""
    goal = transform(with_ring(target), _doubled(matrix))
    fine = warp_face(image, with_ring(source), goal, triangles, 2 * side)
    return np.asarray(cv2.resize(fine, (side, side), interpolation=cv2.INTER_AREA))


def into_crop(image: Image, matrix: Matrix, side: int) -> Image:
    """Sample an image into the crop that `matrix` describes, averaging where the crop is coarser."""
    size = (2 * side, 2 * side)
    fine = cv2.warpAffine(image, _doubled(matrix), size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(fine, (side, side), interpolation=cv2.INTER_AREA))


def out_of_crop(crop: Image, matrix: Matrix, side: int, interpolation: int = cv2.INTER_LINEAR) -> Image:
    """Put a crop back into a frame of `side` pixels; beyond the crop its border is repeated."""
    flags = interpolation | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(crop, matrix, (side, side), flags=flags, borderMode=cv2.BORDER_REPLICATE))


def _doubled(matrix: Matrix) -> Matrix:
    # Pixel centres: enlarging by 2 moves the centre of pixel i to 2·i + 1/2.
    return np.column_stack([2 * matrix[:, :2], 2 * matrix[:, 2] + 0.5])
