"""The faces that `faces.every=auto` finds, against a whole search of every frame; and how long both take.

    python benchmarks/following.py

Frames of 720p are made here: people of the embedded sample who move over a textured background, and a crowd, in which
people appear and vanish. A face of the whole search agrees where one of the other overlaps it by 0.9 or more
(intersection over union of the boxes); a frame agrees where all do and both find equally many: of the boxes that lie
on a face (which overlap the box of its landmarks by 0.3 or more), and of all boxes, with those on hair or background
that a search sees now and then. Faces are looked for from the size of the program's default on.
"""

import argparse
import time
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import torch
from attack_video import HEIGHT, WIDTH, background

from sr_deepfake.app.media import SHARE
from sr_deepfake.data.extraction.face_detection import Detection, FaceDetector
from sr_deepfake.data.sample.people import identity_table, read_identity
from sr_deepfake.media.faces import FaceFinder, Picture
from sr_deepfake.media.video.following import Following

AGREES, ON_A_FACE = 0.9, 0.3
Box = tuple[float, float, float, float]
# Sides of the people in px (their faces are about half as large), and whether they come and go.
CLIPS: dict[str, tuple[Sequence[int], bool]] = {
    "one person": ((240,), False),
    "three people": ((400, 240, 160), False),
    "a crowd of 16": ((120,) * 16, True),
}


def frames_of(sides: Sequence[int], come_and_go: bool, count: int) -> Iterator[tuple[Picture, list[Box]]]:
    """Frames in which people walk to and fro in places of their own, turning their heads; and where their faces are."""
    still, table = background(), identity_table()
    names = sorted(table.names)[: len(sides)]
    people = []
    for name, side in zip(names, sides, strict=True):
        frames = read_identity(name)
        landmarks = table.landmarks_of(name) * side / frames.shape[1]
        boxes = np.concatenate([landmarks.min(1), landmarks.max(1)], axis=1)
        shown = [cv2.resize(frame, (side, side), interpolation=cv2.INTER_AREA) for frame in frames]
        people.append(list(zip(shown, boxes.tolist(), strict=True)))
    columns = min(len(sides), 8)
    room = WIDTH // columns
    for number in range(count):
        picture, faces = still.copy(), []
        for place, (side, person) in enumerate(zip(sides, people, strict=True)):
            if come_and_go and (number + 13 * place) % 60 < 20:
                continue
            row, column = divmod(place, columns)
            reach = (max(room - side, 0), HEIGHT // -(-len(sides) // columns) - side)
            left = column * room + round(reach[0] * (1 + np.sin(number / 15 + place)) / 2)
            top = row * (HEIGHT // 2) + round(reach[1] * (1 + np.cos(number / 20 + place)) / 2)
            pixels, (start, upper, end, lower) = person[number // 3 % len(person)]
            picture[top : top + side, left : left + side] = pixels[:, : WIDTH - left]
            faces.append((left + start, top + upper, left + end, top + lower))
        yield picture, faces


def on_faces(found: Sequence[Detection], faces: Sequence[Box]) -> list[Detection]:
    """Those of some boxes that lie on a face."""
    return [each for each in found if any(_overlap(each.box, face) >= ON_A_FACE for face in faces)]


def agreement(whole: Sequence[Detection], near: Sequence[Detection]) -> tuple[bool, int]:
    """Whether two searches agree in a frame, and how many faces of the first do."""
    best = [max((_overlap(a.box, b.box) for b in near), default=0.0) for a in whole]
    agree = sum(value >= AGREES for value in best)
    return len(whole) == len(near) and agree == len(whole), agree


def _overlap(first: Sequence[float], second: Sequence[float]) -> float:
    width, height = (max(min(first[i + 2], second[i + 2]) - max(first[i], second[i]), 0) for i in (0, 1))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return width * height / (sum(areas) - width * height)


class Noting(FaceDetector):
    """Keeps what it found last."""

    last: list[Detection]

    def all(self, frames: Sequence[Picture] | Picture) -> list[list[Detection]]:
        """As `FaceDetector.all`, of one frame."""
        (self.last,) = found = super().all(frames)
        return found

    def around(self, frame: Picture, known: Sequence[Detection]) -> list[Detection]:
        """As `FaceDetector.around`."""
        self.last = super().around(frame, known)
        return self.last


def main() -> None:
    """Make the clips, search them in both ways, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=150)
    arguments = parser.parse_args()
    print(f"{arguments.frames} frames of {WIDTH}×{HEIGHT}, {torch.get_num_threads()} threads")
    for name, (sides, come_and_go) in CLIPS.items():
        detector, noting = FaceDetector(share=SHARE), Noting(share=SHARE)
        follow = Following(FaceFinder(noting))
        frames = boxes = faces = agree = 0
        seconds = {"whole": 0.0, "auto": 0.0}
        for frame, places in frames_of(sides, come_and_go, arguments.frames):
            start = time.perf_counter()
            (whole,) = detector.all([frame])
            middle = time.perf_counter()
            noting.last = []
            follow([frame])
            seconds["whole"] += middle - start
            seconds["auto"] += time.perf_counter() - middle
            boxes += agreement(whole, noting.last)[0]
            whole = on_faces(whole, places)
            same, found = agreement(whole, on_faces(noting.last, places))
            frames, faces, agree = frames + same, faces + len(whole), agree + found
        took = {way: 1000 * value / arguments.frames for way, value in seconds.items()}
        print(
            f"  {name:14} {100 * agree / faces:5.1f} % of {faces} faces, {100 * frames / arguments.frames:5.1f} % of "
            f"the frames agree ({100 * boxes / arguments.frames:.1f} % in all boxes); {took['whole']:.0f} → "
            f"{took['auto']:.0f} ms a frame ({took['whole'] / took['auto']:.1f}×), {follow.searched} searched whole"
        )


if __name__ == "__main__":
    main()
