"""A data set of videos or photos: a name, and a function that lists its files. Faces are found once, and kept."""

import json
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from sr_deepfake.data.extraction.pipeline import extract_faces
from sr_deepfake.data.extraction.settings import ExtractionSettings, check_settings
from sr_deepfake.data.extraction.summary import SKIPPED, ExtractionSummary, skipped_videos, source_hashes
from sr_deepfake.data.manifest import (
    MANIFEST,
    PRISTINE,
    VIDEOS,
    DataNotFoundError,
    FaceSet,
    read_manifest,
    read_videos,
    videos_of,
    write_videos,
)
from sr_deepfake.data.sources.splits import POLICIES, check_fractions, draw_splits, without_leaks
from sr_deepfake.system.errors import UserError, choose
from sr_deepfake.system.files import safe_name, write_json

log = logging.getLogger(__name__)

ORIGIN = "data_set.json"  # next to the manifest: which data set it is of, and where that is


class DataSet:
    """A data set whose files a function lists.

    Args:
        name: as in `data=<name>`.
        listing: `listing(root, **options)` → the table of its videos, see `video_table`; those without a split are drawn
            into splits when faces are read.
        root: folder (or file) that is listed; None: the faces that were found before.
        methods: its forgery methods; None: those of the table.
        crops: folder of the faces; None: one for each root, below `<outputs>/faces`.
        outputs: where every run writes.
        settings: of the face extraction; None: the defaults.
        crop: find faces; false: take the middle of each picture, as large as the settings' `multiple` allows.
        workers: processes that find faces; None: one a core.
        device: that finds faces, "auto", "cpu" or "gpu".
        fractions: of train, val and test, for videos without a split.
        split_seed: of that draw.
        leaks: what to do about people and equal pictures in two splits: "warn", "error", or "drop" (the copies in the
            earlier split); None: nothing, the splits are official.
        automatic: find faces when they are needed, without `prepare`.
        make: `make(root, methods, workers, progress)` makes files that are missing; None: they are there.
        illustration: sentence that tables and figures carry; "": none.
        **options: of `listing`.

    Raises:
        UserError: an option makes no sense.
    """

    def __init__(
        self,
        name: str,
        listing: Callable[..., pd.DataFrame],
        root: str | None,
        methods: Sequence[str] | None = None,
        crops: str | None = None,
        outputs: str = "outputs",
        settings: ExtractionSettings | None = None,
        crop: bool = True,
        workers: int | None = None,
        device: str = "cpu",
        fractions: Sequence[float] = (0.7, 0.15, 0.15),
        split_seed: int = 0,
        leaks: str | None = None,
        automatic: bool = False,
        make: Callable[..., object] | None = None,
        illustration: str = "",
        **options: Any,
    ) -> None:
        self.name = name
        self.listing = listing
        # Absolute, so that no file's name is taken for an option or a protocol.
        self.root = None if root is None else Path(root).expanduser().absolute()
        self._resolved = "" if self.root is None else str(self.root.resolve())
        self._methods = methods
        label = "-".join(filter(None, [name, str(options.get("compression") or "")]))
        self.settings = replace(settings or ExtractionSettings(), crop=crop, dataset=label)
        self.workers, self.device = workers, device
        self.fractions, self.split_seed = check_fractions(fractions), split_seed
        self.leaks = None if leaks is None else choose(leaks, POLICIES, "data.leaks")
        self.automatic, self.make = automatic, make
        self.illustration = illustration
        self.options = options
        self._kind = "-".join(filter(None, [label, "" if crop else "whole", self.settings.suffix]))
        faces = Path(outputs).expanduser() / "faces"
        if crops is not None:
            self.crops = Path(crops).expanduser()
        elif self.root is not None:
            self.crops = faces / f"{self._kind}-{safe_name(self.root.name, self._resolved)}"
        else:
            self.crops = self._only(faces)

    def _only(self, faces: Path) -> Path:
        """The folder of this data set's faces, where there is one alone."""
        folders = [file.parent for file in faces.glob(f"*/{ORIGIN}")]
        folders.sort(key=lambda folder: ((folder / MANIFEST).is_file(), folder))  # of one root, a whole one is taken
        origins = [(origin_of(folder), folder) for folder in folders]
        # By their roots: a root and a link to it are one.
        found = {str(origin.get("root")): folder for origin, folder in origins if origin.get("kind") == self._kind}
        if len(found) > 1:
            raise UserError(
                f"data={self.name}: there are faces of {len(found)} folders ({', '.join(found)}); choose with data.root="
            )
        return next(iter(found.values()), faces / self._kind)

    @property
    def methods(self) -> Sequence[str]:
        """Its forgery methods."""
        if self._methods is not None:
            return self._methods
        return sorted(set(self.videos()["method"]) - {PRISTINE})

    @property
    def margin(self) -> float | None:
        """Margin about the face's box, as a part of the box on each side; None where no face is looked for."""
        return self.settings.margin if self.settings.crop else None

    def videos(self) -> pd.DataFrame:
        """The table of its videos, as the root has them now, or else as they were when faces were found.

        Raises:
            UserError: there is neither.
        """
        stored = (self.crops / VIDEOS).is_file()
        if stored and (self.root is None or not self.root.exists()):
            return read_videos(self.crops / VIDEOS)
        try:
            return self._listed()
        except DataNotFoundError:
            if not stored or origin_of(self.crops).get("root") != self._resolved:
                raise
            table = read_videos(self.crops / VIDEOS)
            if any(Path(path).exists() for path in table["path"]):
                raise
            log.info("%s holds none of its videos any more; they are listed in %s.", self.root, self.crops / VIDEOS)
            return table

    def _listed(self) -> pd.DataFrame:
        if self.root is None:
            raise UserError(f"data={self.name} needs data.root=/path/to/it")
        if not self.root.exists():
            raise UserError(f"data.root={self.root} does not exist")
        return self.listing(self.root, **self.options)

    def prepare(
        self, methods: Sequence[str] | None = None, shard: tuple[int, int] = (0, 1), progress: bool = True
    ) -> ExtractionSummary:
        """Find the faces of the pristine videos and of those of `methods` (default: all), where that is not done yet.

        Args:
            methods: forgery methods.
            shard: (i, n): every n-th video from the i-th on.
            progress: show it.

        Raises:
            UserError: there is no root, no video or no face.
        """
        if self.root is not None and self.make is not None:
            self.make(self.root, self.chosen(methods), self.workers, progress)
        table = self._listed()
        chosen = table[table["method"].isin([PRISTINE, *self.chosen(methods)])]
        write_videos(table, self.crops / VIDEOS)
        write_json(self.crops / ORIGIN, {"kind": self._kind, "root": self._resolved})
        return extract_faces(
            videos_of(chosen), self.crops, self.settings, self.workers, shard, progress, device=self.device
        )

    def faces(self, methods: Sequence[str]) -> FaceSet:
        """The faces of all videos that gave some, in their splits.

        Args:
            methods: that are needed; where faces are found automatically, those of these are.

        Raises:
            UserError: there are no faces, or they were found in another folder or with other settings.
        """
        self.chosen(methods)
        if self._finds_faces:
            self._check_origin()
            summary = self.prepare(methods)
            if summary.extracted:
                log.info("%s", summary.render())
        self.require_faces()
        table = self.videos()
        skipped = skipped_videos(self.crops)
        # A split must not depend on the methods whose faces exist so far: fakes of several take part whether they gave faces
        # or not. Pristine videos, and the fakes of an only method, are known before any split is drawn.
        known = (table["label"] == 0) | (table["method"].nunique() <= 2)
        drawn = draw_splits(table[~(table["video_id"].isin(skipped) & known)], self.fractions, self.split_seed)
        rows = read_manifest(self.crops, drawn)
        needed = table["video_id"][table["method"].isin([PRISTINE, *methods])]
        unread = ~needed.isin({*rows["video_id"], *skipped})
        if unread.any() and (self.crops / SKIPPED).is_file():
            log.warning(
                "%d of %d listed videos were not read yet, and do not take part; this reads them: %s.",
                unread.sum(), len(needed), self._command(),
            )  # fmt: skip
        if self.leaks is not None:
            rows = without_leaks(rows, self.crops, self.leaks, source_hashes(self.crops))
        return FaceSet(self.name, self.crops, rows, self.margin)

    def require_faces(self) -> None:
        """See that faces were found, in this root and with these settings; else name the command that finds them."""
        if self._finds_faces:
            return
        if not (self.crops / MANIFEST).is_file():
            raise UserError(
                f"there are no face crops: {self.crops / MANIFEST} is missing. Find them once with {self._command()}, or name "
                "the folder that has them: data.crops=FOLDER"
            )
        self._check_origin()
        check_settings(self.crops, self.settings)

    def _command(self) -> str:
        """The command that finds the faces, in words."""
        words = [f"data={self.name}", f"data.root={self.root or '/path/to/it'}"]
        words += [f"data.{name}={value}" for name, value in self.options.items() if name == "compression"]
        return f"`python -m sr_deepfake.prepare {' '.join(words)}`"

    def chosen(self, methods: Sequence[str] | None) -> Sequence[str]:
        """The requested methods, or all; each has to be one of the data set's."""
        known = self.methods
        return [choose(method, known, f"data={self.name}: forgery") for method in methods or known]

    @property
    def _finds_faces(self) -> bool:
        """Whether faces are found when they are needed."""
        if not self.automatic or self.root is None or (self.make is None and not self.root.exists()):
            return False
        finished = (self.crops / MANIFEST).is_file()  # on a share, say, that cannot be written to
        return not finished or os.access(self.crops, os.W_OK)

    def _check_origin(self) -> None:
        stored = origin_of(self.crops).get("root")
        if self.root is not None and stored not in (None, self._resolved):
            raise UserError(
                f"the faces in {self.crops} were found in {stored}, not in data.root={self.root}; name another folder "
                "with data.crops=, or leave data.root out to use them"
            )


def origin_of(folder: Path) -> dict[str, Any]:
    """What `ORIGIN` says of a folder of faces; {} without one."""
    try:
        found = json.loads((folder / ORIGIN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
