"""`sr_deepfake.attack` on a 720p clip with one face, against doing it frame by frame.

    python benchmarks/attack_video.py
    python benchmarks/attack_video.py --memory 18000     # how the process grows over a 10-minute clip instead

The reference reads with OpenCV, finds faces with facenet-pytorch's MTCNN at its defaults, attacks one face at a time in
float32 with EDSR as basicsr builds it, and writes with PyAV: the same encoder, options and threads. The project has the
program's defaults (`--threshold 0`: those of the reference). Both alternate; the ratio is the median over the rounds.
"""

import argparse
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import av
import cv2
import numpy as np
import torch
from facenet_pytorch import MTCNN
from safetensors.torch import load_file

from sr_deepfake.app.media import SHARE, SMALLEST
from sr_deepfake.attacks import SuperResolutionAttack
from sr_deepfake.data.extraction.cropping import square_crop
from sr_deepfake.data.extraction.face_detection import FaceDetector
from sr_deepfake.data.sample.people import read_identity
from sr_deepfake.media.faces import FaceFinder, Picture, attack_crops
from sr_deepfake.media.outcomes import Outcome
from sr_deepfake.media.video.attack import AUTO, VideoSettings, attack_video
from sr_deepfake.media.video.encoder import Encoding
from sr_deepfake.super_resolution.edsr import basicsr_edsr, edsr
from sr_deepfake.super_resolution.weights import find_weights

HEIGHT, WIDTH, RATE, SCALE = 720, 1280, 30, 2
FEATURES, BLOCKS = 64, 16  # of EDSR-baseline
REFERENCE_THRESHOLDS = (0.6, 0.7, 0.7)  # facenet-pytorch's defaults
ENCODING = Encoding(crf=18, preset="medium")


def make_clip(path: Path, frames: int, side: int) -> Path:
    """Write a clip of a person of `side` px, with a face of about half that, who moves."""
    person = [cv2.resize(picture, (side, side), interpolation=cv2.INTER_CUBIC) for picture in read_identity("030")]
    still = background()
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "12", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for i in range(frames):
            picture = still.copy()
            left = round((WIDTH - side) / 2 * (1 + np.sin(i / 40)))
            top = round((HEIGHT - side) / 2 * (1 + np.cos(i / 55)))
            back_and_forth = i // 3 % (2 * len(person) - 2)
            shown = person[min(back_and_forth, 2 * len(person) - 2 - back_and_forth)]
            picture[top : top + side, left : left + side] = shown
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def background() -> Picture:
    """Blobs of three sizes."""
    generator = np.random.default_rng(0)
    total = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    for size in (8, 32, 128):
        coarse = generator.uniform(0, 85, (HEIGHT // size + 1, WIDTH // size + 1, 3)).astype(np.float32)
        total += cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return total.clip(0, 255).astype(np.uint8)


def read_with_opencv(path: Path) -> Iterator[Picture]:
    """RGB frames."""
    capture = cv2.VideoCapture(str(path))
    while True:
        there, frame = capture.read()
        if not there:
            return
        yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB).astype(np.uint8)


class FrameByFrame:
    """The reference: one frame, one face at a time."""

    def __init__(self) -> None:
        self.detector = MTCNN(keep_all=True, device="cpu")
        self.network: torch.nn.Module = basicsr_edsr()(3, 3, FEATURES, BLOCKS, SCALE).eval()
        weights = load_file(find_weights(None, "edsr_baseline_x2.safetensors", "EDSR"))
        self.network.load_state_dict({name: tensor.float() for name, tensor in weights.items()})

    @torch.no_grad()
    def attack(self, face: Picture) -> Picture:
        """Scale a face down and let the network enlarge it."""
        side = face.shape[0] // SCALE
        small = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
        tensor = torch.from_numpy(small).permute(2, 0, 1)[None].contiguous().float().div(255)
        large = self.network(tensor)[0]
        return np.asarray((large * 255).clamp(0, 255).round().byte().permute(1, 2, 0).numpy())

    def run(self, source: Path, target: Path) -> int:
        """Attack a video; returns how many faces were attacked."""
        faces = 0
        with av.open(str(target), "w") as container:
            stream = container.add_stream("libx264", rate=RATE, options=ENCODING.settings("libx264"))
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            for frame in read_with_opencv(source):
                boxes = self.detector.detect(frame)[0]
                for box in [] if boxes is None else boxes.tolist():
                    crop = square_crop((box[0], box[1], box[2], box[3]), HEIGHT, WIDTH)
                    if crop is not None:
                        square = frame[crop.top : crop.top + crop.side, crop.left : crop.left + crop.side]
                        square[:] = self.attack(square.copy())
                        faces += 1
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            container.mux(stream.encode(None))
        return faces


class Ours:
    """This project."""

    def __init__(self, threshold: float, every: int | str, min_face: float | None, batch: int) -> None:
        thresholds = (threshold,) * 3 if threshold else REFERENCE_THRESHOLDS
        self.finder = FaceFinder(FaceDetector(thresholds, min_face or SMALLEST, share=0 if min_face else SHARE))
        self.attack = partial(attack_crops, SuperResolutionAttack(edsr(SCALE), SCALE))
        self.settings = VideoSettings(ENCODING, every=every, batch=batch)

    def run(self, source: Path, target: Path) -> Outcome:
        """Attack a video."""
        return attack_video(source, target, self.finder, self.attack, self.settings)


def compare(source: Path, folder: Path, frames: int, ours: Ours, rounds: int) -> None:
    """Time both, one after the other, and print the table."""
    reference = FrameByFrame()
    warm = make_clip(folder / "warm.mp4", 4, 400)
    ours.run(warm, folder / "warm_out.mp4"), reference.run(warm, folder / "warm_out.mp4")
    seconds: dict[str, list[float]] = {"reference": [], "ours": []}
    for _ in range(rounds):
        start = time.perf_counter()
        theirs = reference.run(source, folder / "reference.mp4")
        middle = time.perf_counter()
        report = ours.run(source, folder / "ours.mp4")
        seconds["reference"].append(middle - start)
        seconds["ours"].append(time.perf_counter() - middle)
    ratio = statistics.median(a / b for a, b in zip(seconds["reference"], seconds["ours"], strict=True))
    print(f"{frames} frames of {WIDTH}×{HEIGHT}, {torch.get_num_threads()} threads, median of {rounds} rounds")
    for name, faces in (("reference", theirs), ("ours", report.faces)):
        print(f"  {name:10}{frames / statistics.median(seconds[name]):7.2f} frames/s   {faces} faces attacked")
    print(f"  ratio     {ratio:7.2f}")


def memory(folder: Path, frames: int, side: int) -> None:
    """Attack a clip of many frames with bicubic interpolation, and print how much the process holds on the way."""
    from sr_deepfake.super_resolution.interpolation import Interpolation

    attack = partial(attack_crops, SuperResolutionAttack(Interpolation(scale=SCALE)))
    marks = {round(frames * part): part for part in (0.05, 0.1, 0.25, 0.5, 0.75, 1)}
    finder, long = FaceFinder(FaceDetector(share=SHARE)), make_clip(folder / "long.mp4", frames, side)

    def show(done: int, total: int | None) -> None:
        for mark in [mark for mark in marks if mark <= done]:
            held, peak = resident(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
            print(f"  {mark:6d} frames: {held:.2f} GiB held, {peak:.2f} GiB at most so far")
            del marks[mark]

    print(f"{frames} frames of {WIDTH}×{HEIGHT}; the process holds {resident():.2f} GiB before")
    attack_video(long, folder / "out.mp4", finder, attack, VideoSettings(ENCODING, every=AUTO), show)


def resident() -> float:
    """GiB that the process holds now."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**30


def main() -> None:
    """Make the clip and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument(
        "--person", type=int, default=240, help="side of the person in px; the square to attack is nearly as large"
    )
    parser.add_argument("--threshold", type=float, default=0.8, help="of the three networks (ours)")
    parser.add_argument("--every", default=AUTO, help="auto or 1 (ours)")
    parser.add_argument("--min-face", type=float, help="px (ours)")
    parser.add_argument("--batch", type=int, default=16, help="frames that go through the networks together")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of torch and OpenCV")
    parser.add_argument("--memory", type=int, default=0, metavar="FRAMES", help="measure memory instead")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    cv2.setNumThreads(arguments.threads)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.memory:
            memory(folder, arguments.memory, arguments.person)
        else:
            source = make_clip(folder / "clip.mp4", arguments.frames, arguments.person)
            every = arguments.every if arguments.every == AUTO else int(arguments.every)
            ours = Ours(arguments.threshold, every, arguments.min_face, arguments.batch)
            compare(source, folder, arguments.frames, ours, arguments.rounds)


if __name__ == "__main__":
    main()
