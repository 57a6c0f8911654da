"""`prepare` over a tree with the official names of FaceForensics++: time, memory, and the number of faces.

    python benchmarks/prepare.py                   # 1,000 pristine videos and 1,000 of one method
    python benchmarks/prepare.py --parts 10        # a tenth of them

The videos are links to the embedded sample's clips of 10 frames, so what is measured is everything but decoding long
videos. It runs for a quarter of the videos first: a time for each video that is the same for both does not grow with
their number. The paper's section 4.1 has 14,400 faces for training and 2,800 for each of validation and test.
"""

import argparse
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from sr_deepfake.data.extraction.pipeline import extract_faces
from sr_deepfake.data.extraction.settings import ExtractionSettings
from sr_deepfake.data.manifest import Video, read_manifest
from sr_deepfake.data.sample.people import ASSETS
from sr_deepfake.data.sources.ffpp import find_splits, list_videos

METHOD = "FaceSwap"


def make_tree(root: Path) -> list[Video]:
    """Link every video that the official lists name to one of the sample's clips."""
    (root / "original_sequences").mkdir(parents=True)
    splits = find_splits(root)
    clips = sorted((ASSETS / "identities").glob("*.mp4"))
    names = []
    for pairs in (splits.train, splits.val, splits.test):
        for one, other in pairs:
            names += [f"original_sequences/youtube/c23/videos/{name}.mp4" for name in (one, other)]
            both = (f"{one}_{other}", f"{other}_{one}")
            names += [f"manipulated_sequences/{METHOD}/c23/videos/{name}.mp4" for name in both]
    for index, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(clips[index % len(clips)])
    return list_videos(root, splits, [METHOD], "c23")


def measure(videos: Sequence[Video], out: Path, workers: int | None) -> None:
    """Run `prepare` over videos, then again, and print what it took."""
    for title in ("first", "again"):
        start = time.perf_counter()
        summary = extract_faces(videos, out, ExtractionSettings(), workers, progress=False)
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
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", type=int, default=1, help="take every n-th video")
    parser.add_argument("--workers", type=int, default=None, help="processes; one a core unless told")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        videos = make_tree(Path(folder, "tree"))[:: options.parts]
        measure(videos[::4], Path(folder, "quarter"), options.workers)
        measure(videos, Path(folder, "all"), options.workers)


if __name__ == "__main__":
    main()
