"""`prepare` over a tree with the official names of FaceForensics++: time, memory, and the number of faces.

    python benchmarks/prepare.py                   # 1,000 pristine videos and 1,000 of one method
    python benchmarks/prepare.py --parts 10        # a tenth of them
    python benchmarks/prepare.py --parts 50 --frames 500 --height 720      # long videos of two people

The videos are links to the embedded sample's clips of 10 frames; with --frames, to three clips of such a length, with two
people in view. It runs for a quarter of the videos first: the time for each does not grow with their number.
"""

import argparse
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import av
import cv2
import numpy as np
import pandas as pd

from sr_deepfake.data.extraction.pipeline import extract_faces
from sr_deepfake.data.extraction.settings import ExtractionSettings
from sr_deepfake.data.manifest import PRISTINE, VIDEOS, read_manifest, videos_of, write_videos
from sr_deepfake.data.sample.people import ASSETS, read_clip
from sr_deepfake.data.sources import ffpp

METHOD = "FaceSwap"


def long_clips(folder: Path, count: int, height: int) -> list[Path]:
    """Make three clips of `count` frames in which two people move, 16:9, as the data set is compressed (c23)."""
    folder.mkdir(parents=True)
    assets = sorted((ASSETS / "identities").glob("*.mp4"))
    clips = []
    for number in range(3):
        people = [read_clip(path) for path in assets[2 * number : 2 * number + 2]]
        clips.append(folder / f"{number}.mp4")
        with av.open(str(clips[-1]), "w") as container:
            stream = container.add_stream("libx264", rate=30, options={"crf": "23", "preset": "veryfast"})
            stream.height, stream.width, stream.pix_fmt = height, height * 8 // 9 * 2, "yuv420p"
            noise = np.random.default_rng(number).integers(60, 180, (height // 8, height * 2 // 9, 3), np.uint8)
            empty = cv2.resize(noise, (stream.width, height), interpolation=cv2.INTER_CUBIC)
            for index in range(count):
                frame = empty.astype(np.uint8)
                for who, (side, left) in enumerate(((height // 2, height // 8), (height // 3, height))):
                    person = cv2.resize(people[who][index % len(people[who])], (side, side))
                    top = height // 4 + int(height / 16 * np.sin(index / 15 + who))
                    frame[top : top + side, left : left + side] = person
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            container.mux(stream.encode())
    return clips


def make_tree(root: Path, clips: Sequence[Path]) -> pd.DataFrame:
    """Link every video that the official lists name to one of some clips."""
    (root / "original_sequences").mkdir(parents=True)
    names = []
    for pairs in ffpp.read_splits(ffpp.PACKAGED_SPLITS).values():
        for one, other in pairs:
            names += [f"original_sequences/youtube/c23/videos/{name}.mp4" for name in (one, other)]
            both = (f"{one}_{other}", f"{other}_{one}")
            names += [f"manipulated_sequences/{METHOD}/c23/videos/{name}.mp4" for name in both]
    for index, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(clips[index % len(clips)])
    table = ffpp.videos(root)
    return table[table["method"].isin([PRISTINE, METHOD])]


def measure(videos: pd.DataFrame, out: Path, workers: int | None) -> None:
    """Run `prepare` over videos, then again, and print what it took."""
    write_videos(videos, out / VIDEOS)
    for title in ("first", "again"):
        start = time.perf_counter()
        summary = extract_faces(videos_of(videos), out, ExtractionSettings(), workers, progress=False)
        seconds = time.perf_counter() - start
        print(
            f"{len(videos):5d} videos, {title}: {seconds:6.1f} s, {1000 * seconds / len(videos):6.1f} ms a video, "
            f"{summary.faces:,} faces"
        )
    print("      faces:", dict(Counter(read_manifest(out)["split"])))
    own, children = (
        resource.getrusage(who).ru_maxrss / 2**20 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    print(f"      memory: {own:.2f} GiB of this process, {children:.2f} GiB of the largest that finds faces")


def main() -> None:
    """Make the tree and run over it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", type=int, default=1, help="take every n-th video")
    parser.add_argument("--workers", type=int, default=None, help="processes; by default one a core")
    parser.add_argument("--frames", type=int, default=0, help="of each video; 0: the sample's own clips")
    parser.add_argument("--height", type=int, default=720, help="of these videos, px")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clips = sorted((ASSETS / "identities").glob("*.mp4"))
        if options.frames:
            clips = long_clips(Path(folder, "clips"), options.frames, options.height)
        videos = make_tree(Path(folder, "tree"), clips)[:: options.parts]
        measure(videos[::4], Path(folder, "quarter"), options.workers)
        measure(videos, Path(folder, "all"), options.workers)


if __name__ == "__main__":
    main()
