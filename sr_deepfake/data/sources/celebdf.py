"""Celeb-DF, version 1 and 2.

    <root>/Celeb-real/idA_NNNN.mp4  <root>/YouTube-real/NNNNN.mp4  <root>/Celeb-synthesis/idA_idB_NNNN.mp4
    <root>/List_of_testing_videos.txt    lines LABEL PATH, where 1 is real and 0 is fake

with a folder `videos/` in between, sometimes (Li et al., 2020). idA is the target's identity. The official list says
which videos are for the test; people in it are in other videos too. Of the others a tenth of the identities is for
validation.
"""

from collections.abc import Sequence
from pathlib import Path

from sr_deepfake.data.extraction.video import is_video
from sr_deepfake.data.manifest import PRISTINE, SPLITS, Video
from sr_deepfake.data.sources.layouts import not_found
from sr_deepfake.data.sources.splits import share_of
from sr_deepfake.data.sources.video_data_set import VideoDataSet
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import encoding_of

SYNTHESIS = "Celeb-synthesis"
TEST_LIST = "List_of_testing_videos.txt"
VALIDATION = 0.1  # of the identities that the official list leaves for training
_REAL = ("Celeb-real", "YouTube-real", "Youtube-real")


class CelebDF(VideoDataSet):
    """Celeb-DF; see `VideoDataSet` for the arguments."""

    name = "celebdf"
    title = "Celeb-DF"
    methods = (SYNTHESIS,)
    disjoint = False

    def videos(self, root: Path, methods: Sequence[str]) -> list[Video]:
        """List all videos; those of the official list are the test set."""
        found = {folder: _clips(root / folder) for folder in (*_REAL, SYNTHESIS)}
        if not any(found.values()):
            raise not_found(root, self.name, "not one video is there")
        if not (root / TEST_LIST).is_file():
            raise not_found(root, self.name, f"{TEST_LIST} is missing, which says what the test set is")
        test = _test_list(root / TEST_LIST)
        videos = []
        for folder, paths in found.items():
            fake = folder == SYNTHESIS
            for path in paths:
                parts = path.stem.split("_")
                own = [part for part in parts if part.startswith("id")] or [path.stem]
                split = "test" if f"{folder}/{path.name}".lower() in test else None
                split = split or ("val" if share_of(own[0]) < VALIDATION else "train")
                method = SYNTHESIS if fake else PRISTINE
                source = own[1] if fake and len(own) > 1 else ""
                stem = path.stem if fake else f"{folder}-{path.stem}"
                videos.append(Video(f"{method}/{stem}", method, int(fake), split, own[0], source, path))
        return sorted(videos, key=lambda video: (SPLITS.index(video.split), video.label, video.video_id))


def _clips(folder: Path) -> list[Path]:
    paths = (path for place in (folder, folder / "videos") for path in place.glob("*"))
    return sorted(path for path in paths if is_video(path))


def _test_list(path: Path) -> set[str]:
    """Names of the test videos, folder and file, in small letters."""
    names = set()
    for number, line in enumerate(path.read_text(encoding=encoding_of(path)).splitlines(), 1):
        if not line.strip():
            continue
        label, _, name = line.strip().partition(" ")
        parts = name.strip().replace("\\", "/").split("/")
        if label not in ("0", "1") or len(parts) < 2:
            raise UserError(f"{path}, line {number}: {line!r} is no LABEL FOLDER/NAME.mp4")
        names.add(f"{parts[0]}/{parts[-1]}".lower())
    return names
