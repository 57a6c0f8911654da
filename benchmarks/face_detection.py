"""Face detection on 720p video: the project's detector against facenet-pytorch called frame by frame.

    python benchmarks/face_detection.py

The clip is made here: people of the embedded sample, of many sizes, on a textured 1280×720 background. Everything runs
in one process with the same number of threads. Both are run with facenet-pytorch's default thresholds (0.6, 0.7, 0.7)
and with the project's (0.8 ×3), which are a choice of the paper's authors and move some boxes by themselves. The first
two rows show what the project's way of searching changes, the third what that and the thresholds change together.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import torch
from facenet_pytorch import MTCNN
from numpy.typing import NDArray

import sr_deepfake
from sr_deepfake.data.extraction.face_detection import FaceDetector

Frame = NDArray[np.uint8]
Box = tuple[float, float, float, float]

HEIGHT, WIDTH = 720, 1280
DEFAULTS, PROJECT = (0.6, 0.7, 0.7), (0.8, 0.8, 0.8)
DEFAULT_IDENTITIES = Path(sr_deepfake.__file__).parent / "data" / "sample" / "assets" / "identities"


def make_clip(identities: Path, count: int, seed: int = 0) -> list[Frame]:
    """Make `count` frames: a person of 150 to 600 px, with a face of about half that, on a textured background."""
    generator = np.random.default_rng(seed)
    files = sorted(identities.glob("*.mp4"))
    if not files:
        raise SystemExit(f"There are no clips in {identities}: give their folder with --identities.")
    frames = []
    for i in range(count):
        person = first_frame(files[i % len(files)])
        side = int(generator.integers(150, 601))
        resized = cv2.resize(person, (side, side), interpolation=cv2.INTER_AREA)
        frame = background(generator)
        top, left = generator.integers(0, HEIGHT - side + 1), generator.integers(0, WIDTH - side + 1)
        frame[top : top + side, left : left + side] = resized
        frames.append(frame)
    return frames


def first_frame(path: Path) -> Frame:
    """First frame of a video, RGB."""
    with av.open(str(path)) as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24").astype(np.uint8)


def background(generator: np.random.Generator) -> Frame:
    """Blobs of three sizes."""
    total = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    for size in (8, 32, 128):
        coarse = generator.uniform(0, 85, (HEIGHT // size + 1, WIDTH // size + 1, 3)).astype(np.float32)
        total += cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return total.clip(0, 255).astype(np.uint8)


def frame_by_frame(detector: MTCNN) -> Callable[[list[Frame]], list[Box | None]]:
    """The plain way: facenet-pytorch on one frame after the other; its first box is the largest."""

    def run(frames: list[Frame]) -> list[Box | None]:
        boxes = (detector.detect(frame)[0] for frame in frames)
        return [
            None if found is None else (found[0][0], found[0][1], found[0][2], found[0][3]) for found in boxes
        ]

    return run


def in_videos(detector: FaceDetector, video_frames: int) -> Callable[[list[Frame]], list[Box | None]]:
    """The project's way: all drawn frames of a video at once."""

    def run(frames: list[Frame]) -> list[Box | None]:
        videos = (frames[i : i + video_frames] for i in range(0, len(frames), video_frames))
        return [None if face is None else face.box for video in videos for face in detector.largest(video)]

    return run


def overlap(first: Box, second: Box) -> float:
    """Intersection over union."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    common = max(width, 0) * max(height, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return common / (sum(areas) - common)


def timed(
    run: Callable[[list[Frame]], list[Box | None]], frames: list[Frame]
) -> tuple[float, list[Box | None]]:
    """Seconds a frame, after a first call that is not counted, and the boxes."""
    run(frames[:2])
    start = time.perf_counter()
    boxes = run(frames)
    return (time.perf_counter() - start) / len(frames), boxes


def main() -> None:
    """Time the three and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--identities", type=Path, default=DEFAULT_IDENTITIES, help="folder of clips of people"
    )
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument(
        "--video-frames", type=int, default=10, help="frames drawn from a video, found together"
    )
    parser.add_argument("--threads", type=int, default=1, help="threads of torch and OpenCV")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)

    frames = make_clip(options.identities, options.frames)
    ours, theirs = {}, {}
    for thresholds in (DEFAULTS, PROJECT):
        ours[thresholds] = timed(in_videos(FaceDetector(thresholds), options.video_frames), frames)
        theirs[thresholds] = timed(frame_by_frame(MTCNN(thresholds=list(thresholds))), frames)

    print(f"{len(frames)} frames of {WIDTH}×{HEIGHT}, {options.threads} thread(s), one process\n")
    print("                                              frames/s               face found by")
    print(
        "thresholds: facenet-pytorch     ours     facenet-pytorch   ours   ratio   both  one   IoU ≥ 0.9   lowest IoU"
    )
    for reference, own in ((DEFAULTS, DEFAULTS), (PROJECT, PROJECT), (DEFAULTS, PROJECT)):
        (reference_seconds, reference_boxes), (own_seconds, own_boxes) = theirs[reference], ours[own]
        pairs = list(zip(reference_boxes, own_boxes, strict=True))
        overlaps = np.array([overlap(a, b) for a, b in pairs if a is not None and b is not None])
        one_only = sum((a is None) != (b is None) for a, b in pairs)
        print(
            f"{' '.join(map(str, reference)):>27}  {' '.join(map(str, own))}"
            f"{1 / reference_seconds:18.1f}{1 / own_seconds:7.1f}{reference_seconds / own_seconds:7.1f}×"
            f"{len(overlaps):7d}{one_only:5d}{np.mean(overlaps >= 0.9):12.1%}{overlaps.min():13.3f}"
        )


if __name__ == "__main__":
    main()
