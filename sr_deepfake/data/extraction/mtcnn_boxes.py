"""The arithmetic between MTCNN's networks: resampling, box regression and suppression, for one frame each."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.ops import nms

Boxes = NDArray[np.float32]  # one row a box: left, top, right, bottom, then what the stage adds
Integral = NDArray[np.int32]  # what cv2.integral gives: (H + 1)×(W + 1)×3


def area_means(
    integral: Integral,
    bounds: Sequence[int],
    size: tuple[int, int],
    part: tuple[slice, slice] = (slice(None), slice(None)),
) -> NDArray[np.float32]:
    """Shrink (or enlarge) a part of a frame to `size` (height, width), float32 in [0, 255]."""
    left, top, right, bottom = bounds
    row_start, row_stop = (edges[part[0]] for edges in _bins(top, bottom, size[0]))
    column_start, column_stop = (edges[part[1]] for edges in _bins(left, right, size[1]))
    left, right = column_start[0], column_stop[-1]
    # Differences of int32 sums are right even where the sums themselves have wrapped.
    strips = integral[row_stop, left : right + 1] - integral[row_start, left : right + 1]
    sums = strips[:, column_stop - left] - strips[:, column_start - left]
    count = (row_stop - row_start)[:, None, None] * (column_stop - column_start)[None, :, None]
    means: NDArray[np.float32] = (sums / count).astype(np.float32)
    return means


def _bins(start: int, stop: int, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last bound of the `count` overlapping bins of adaptive pooling over [start, stop)."""
    bins, length = np.arange(count), stop - start
    return start + bins * length // count, start - (-(bins + 1) * length // count)


def merge_levels(proposals: list[Boxes]) -> Boxes:
    """One frame's proposals of all levels, without overlapping ones, moved by the first network's regression."""
    return move_by_regression(suppress_overlapping(np.concatenate(proposals), 0.7), last=0)


def move_by_regression(boxes: Boxes, last: int = 1) -> Boxes:
    """Boxes moved by a network's regression; all but the first count a box's `last` pixel in its size."""
    size = boxes[:, 2:4] - boxes[:, :2] + last
    moved = boxes[:, :4] + boxes[:, 5:9] * np.tile(size, 2)
    return np.concatenate([moved, boxes[:, 4:5]], axis=1)


def square_boxes(boxes: Boxes) -> Boxes:
    """Squares with the boxes' centres and longer sides."""
    size = boxes[:, 2:4] - boxes[:, :2]
    side = size.max(axis=1, keepdims=True)
    start = boxes[:, :2] + size * 0.5 - side * 0.5
    return np.concatenate([start, start + side], axis=1)


def clip_to_frame(boxes: Boxes, height: int, width: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Whole-pixel bounds inside the frame, and which of them hold any pixel."""
    corners = np.trunc(boxes).astype(np.int64)
    start = np.maximum(corners[:, :2], 1) - 1
    stop = np.minimum(corners[:, 2:], [width, height])
    return np.concatenate([start, stop], axis=1), np.all(stop > start, axis=1)


def suppress_overlapping(boxes: Boxes, overlap: float) -> Boxes:
    """Non-maximum suppression of one frame's boxes, by intersection over union."""
    kept = nms(torch.from_numpy(boxes[:, :4].copy()), torch.from_numpy(boxes[:, 4].copy()), overlap)
    remaining: Boxes = boxes[kept.numpy()]
    return remaining


def suppress_contained(boxes: Boxes, overlap: float) -> Boxes:
    """Non-maximum suppression of one frame's boxes, by intersection over the smaller of two boxes."""
    area = (boxes[:, 2] - boxes[:, 0] + 1) * (boxes[:, 3] - boxes[:, 1] + 1)
    kept: list[int] = []
    for i in np.argsort(-boxes[:, 4], kind="stable"):
        start = np.maximum(boxes[i, :2], boxes[kept, :2])
        stop = np.minimum(boxes[i, 2:4], boxes[kept, 2:4])
        intersection = np.maximum(stop - start + 1, 0).prod(axis=1)
        if (intersection <= overlap * np.minimum(area[i], area[kept])).all():
            kept.append(int(i))
    return boxes[kept]


def window_around(box: Sequence[float], size: float, height: int, width: int) -> tuple[int, int, int, int] | None:
    """A window of a size around a box, moved into the frame; None where the box is outside of it."""
    corners, frame = np.reshape(box, (2, 2)), np.array([width, height])
    if (corners[1] <= 0).any() or (corners[0] >= frame).any():
        return None
    begin = np.clip(corners.mean(axis=0) - size / 2, 0, np.maximum(frame - size, 0)).round()
    left, top, right, bottom = np.concatenate([begin, np.minimum(frame, (begin + size).round())]).astype(int).tolist()
    return left, top, right, bottom
