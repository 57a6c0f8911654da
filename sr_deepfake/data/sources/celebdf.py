"""Celeb-DF, version 1 or 2 (Li et al., 2020).

    <root>/Celeb-real/idA_NNNN.mp4
    <root>/YouTube-real/NNNNN.mp4        (or Youtube-real)
    <root>/Celeb-synthesis/idA_idB_NNNN.mp4
    <root>/List_of_testing_videos.txt    lines LABEL PATH, where 1 is real and 0 is fake

with a folder `videos/` in between, sometimes. idA is the target's identity. The official list names the test videos; people in
it are in other videos too. Of the other identities a tenth is for validation.
"""

import logging
from pathlib import Path

import pandas as pd

from sr_deepfake.data.extraction.video import is_video
from sr_deepfake.data.manifest import PRISTINE, DataNotFoundError, video_table
from sr_deepfake.data.sources.splits import share_of
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import read_text

log = logging.getLogger(__name__)

SYNTHESIS = "Celeb-synthesis"
TEST_LIST = "List_of_testing_videos.txt"
VALIDATION = 0.1  # of the identities that the official list leaves for training
_FOLDERS = {"celeb-real", "youtube-real", SYNTHESIS.lower()}


def videos(root: Path) -> pd.DataFrame:
    """List all videos; those of the official list are the test set."""
    # By their names in small letters: YouTube-real and Youtube-real are one folder on a disk that ignores case.
    folders = {
        path.name.lower(): path for path in sorted(root.iterdir()) if path.name.lower() in _FOLDERS and path.is_dir()
    }
    globs = [folder.glob(pattern) for folder in folders.values() for pattern in ("[!.]*", "videos/[!.]*")]
    paths = {path: path.relative_to(root).parts[0] for found in globs for path in sorted(found) if is_video(path)}
    if not paths:
        raise DataNotFoundError(f"{root} has no video in Celeb-real/, YouTube-real/ or Celeb-synthesis/ (data.root=)")
    for name in sorted(_FOLDERS - {folder.lower() for folder in paths.values()}):
        log.warning("%s has no videos of %s: only the others take part.", root, name)
    if not (root / TEST_LIST).is_file():
        raise DataNotFoundError(f"{root / TEST_LIST} is missing, which says what the test set is")
    test = _test_list(root / TEST_LIST)
    rows: list[dict[str, object]] = []
    for path, folder in paths.items():
        fake = folder.lower() == SYNTHESIS.lower()
        people = [part for part in path.stem.split("_") if part.startswith("id")] or [path.stem]
        split = "val" if share_of(people[0]) < VALIDATION else "train"
        name = path.stem if fake else f"{folder}-{path.stem}"
        rows.append(
            {
                "video_id": f"{SYNTHESIS if fake else PRISTINE}/{name}", "path": path, "target": people[0],
                "source": people[1] if fake and len(people) > 1 else "",
                "split": "test" if f"{folder}/{path.stem}".lower() in test else split,
            }
        )  # fmt: skip
    return video_table(rows)


def _test_list(path: Path) -> set[str]:
    """Folder and file of the test videos, in small letters, without suffixes."""
    names = set()
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip():
            continue
        label, _, name = line.strip().partition(" ")
        parts = name.strip().replace("\\", "/").split("/")
        if label not in ("0", "1") or len(parts) < 2:
            raise UserError(f"{path}, line {number}: expected LABEL FOLDER/NAME.mp4, not {line!r}")
        names.add(f"{parts[0]}/{Path(parts[-1]).stem}".lower())
    return names
