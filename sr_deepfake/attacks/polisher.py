"""FakePolisher (Huang et al., ACM MM 2020): fakes are projected onto what pristine faces are made of, without a detector."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from sr_deepfake.attacks.base import Picture, PictureAttack, own_generator, whole_number
from sr_deepfake.attacks.fingerprint import weights_digits
from sr_deepfake.system.checkpoints import read_tensors
from sr_deepfake.system.errors import MissingWeightsError, UserError, choose
from sr_deepfake.system.files import replacing

PATCH = 8  # px
_BATCH = 256  # faces that the PCA takes in at once


class FakePolisher(PictureAttack):
    """Replaces each face by its nearest combination of parts of pristine faces, so that the fingerprint of a forgery goes.

    With principal components (`pca`) the face is scaled to the fitted side, projected, and scaled back. With a dictionary of
    8×8 patches a tenth of the pixels, drawn by the face's own pixels, is dropped, each patch is rebuilt from the rest of it by
    orthogonal matching pursuit, and overlapping patches are averaged. Results are clipped and truncated, as in the published
    code, whose pictures are aligned faces of CelebA; ours are not aligned. `fitted` is the file that
    `python -m sr_deepfake.prepare prepare.polisher=FILE` wrote; it decides which of the two it is.
    """

    def __init__(
        self,
        fitted: str | None,
        components: int | None = None,
        atoms: int = 200,
        coefficients: int = 20,
        stride: int = 1,
    ) -> None:
        super().__init__()
        if not fitted:
            raise MissingWeightsError(
                "attack.fitted is missing: the file that `python -m sr_deepfake.prepare prepare.polisher=FILE` with your data "
                "options writes"
            )
        found = read_tensors(Path(fitted).expanduser(), "attack.fitted")
        if set(found) not in ({"mean", "components"}, {"atoms"}):
            raise UserError(f"attack.fitted={fitted} was not written by `prepare prepare.polisher=FILE`")
        self.is_pca = "mean" in found
        for name, tensor in found.items():
            self.register_parameter(name, torch.nn.Parameter(tensor.float(), requires_grad=False))
        # Of the processor, wherever the parameters are moved: pictures are changed there.
        self._arrays = {name: parameter.data.numpy() for name, parameter in self.named_parameters()}
        self.kind = f"fakepolisher-{'pca' if self.is_pca else 'dictionary'}"
        if self.is_pca:
            self.side = round((self._arrays["mean"].size / 3) ** 0.5)
            most = len(self._arrays["components"])
            self.count = whole_number(most if components is None else components, "attack.components", 1, 10**6)
            self.strength = f"n{min(self.count, most)}"
        else:
            self.count = min(whole_number(atoms, "attack.atoms", 1, 10**6), len(self._arrays["atoms"]))
            self.coefficients = whole_number(coefficients, "attack.coefficients", 1, self.count)
            self.stride = whole_number(stride, "attack.stride", 1, PATCH)
            self.strength = f"n{self.count}k{self.coefficients}s{self.stride}"
        self.variant = weights_digits(self)

    def change(self, picture: Picture) -> Picture:
        """As `PictureAttack.change`."""
        return self._projected(picture) if self.is_pca else self._rebuilt(picture)

    def _projected(self, picture: Picture) -> Picture:
        height, width = picture.shape[:2]
        mean, parts = self._arrays["mean"], self._arrays["components"][: self.count]
        values = scaled(picture, self.side).reshape(-1) - mean
        levels = (mean + (parts @ values) @ parts).reshape(self.side, self.side, 3).clip(0, 255).astype(np.uint8)
        back: Picture = cv2.resize(levels, (width, height), interpolation=_interpolation(self.side, min(height, width)))
        return back

    def _rebuilt(self, picture: Picture) -> Picture:
        from sklearn.linear_model import orthogonal_mp  # here: it takes a second that nobody else has to wait for

        atoms = self._arrays["atoms"][: self.count].astype(np.float64)
        kept = own_generator(picture).random(picture.shape[:2]) >= 0.1
        total, times = np.zeros(picture.shape), np.zeros((*picture.shape[:2], 1))
        rows, columns = (  # where patches begin, at the far ends too
            {*range(0, length - PATCH + 1, self.stride), max(0, length - PATCH)} for length in picture.shape[:2]
        )
        for top, left in itertools.product(sorted(rows), sorted(columns)):
            place = np.s_[top : top + PATCH, left : left + PATCH]
            seen = np.repeat(kept[place].reshape(-1), 3)
            patch = picture[place].reshape(-1).astype(np.float64)
            most = min(self.coefficients, int(seen.sum()))
            lengths = np.linalg.norm(atoms[:, seen], axis=1)
            lengths[lengths == 0] = 1
            found = (
                orthogonal_mp((atoms[:, seen] / lengths[:, None]).T, patch[seen], n_nonzero_coefs=most) if most else 0
            )
            total[place] += ((found / lengths) @ atoms).reshape(PATCH, PATCH, 3)
            times[place] += 1
        levels: Picture = np.floor((total / np.maximum(times, 1)).clip(0, 255))
        return levels


def fit_polisher(
    read: Callable[[int], Picture],
    count: int,
    kind: str,
    path: Path,
    side: int = 224,
    components: int = 1000,
    seed: int = 0,
) -> str:
    """Fit principal components, or a dictionary of patches, to pristine faces; write them, and say what they are.

    `read` gives the picture of a face (uint8 RGB) by its number, from 0 to `count`. For the PCA faces are scaled to `side` px.
    There are at most `components` of the PCA, or atoms of the dictionary; `seed` decides patches and dictionary.
    """
    choose(kind, ("pca", "dictionary"), "prepare.polisher_kind")
    if count < 2:
        raise UserError("prepare.polisher needs two pristine faces for training at least")
    number = min(components, count - 1)
    tensors = _principal(read, count, side, number) if kind == "pca" else _dictionary(read, count, number, seed)
    with replacing(path) as temporary:
        save_file(
            {name: torch.from_numpy(np.ascontiguousarray(each)).float() for name, each in tensors.items()}, temporary
        )
    shapes = ", ".join(f"{name} {'×'.join(map(str, each.shape))}" for name, each in tensors.items())
    return f"FakePolisher ({kind}): {path} ({shapes}); attack=fakepolisher attack.fitted={path} uses it"


def _principal(read: Callable[[int], Picture], count: int, side: int, number: int) -> dict[str, Any]:
    from sklearn.decomposition import IncrementalPCA

    model = IncrementalPCA(number)
    for places in np.array_split(np.arange(count), max(1, count // max(_BATCH, number))):
        model.partial_fit(np.stack([scaled(read(int(place)), side).reshape(-1) for place in places]))
    return {"mean": model.mean_, "components": model.components_}


def _dictionary(read: Callable[[int], Picture], count: int, number: int, seed: int) -> dict[str, Any]:
    from sklearn.decomposition import MiniBatchDictionaryLearning

    random = np.random.default_rng(seed)
    patches = []
    for place in range(count):
        face = read(place)
        top, left = (int(random.integers(0, length - PATCH + 1)) for length in face.shape[:2])
        patches.append(face[top : top + PATCH, left : left + PATCH].reshape(-1).astype(np.float64))
    model = MiniBatchDictionaryLearning(
        number, fit_algorithm="lars", transform_algorithm="omp", transform_n_nonzero_coefs=15, random_state=seed
    )
    return {"atoms": model.fit(np.stack(patches)).components_}


def scaled(picture: Picture, side: int) -> NDArray[np.float32]:
    """A face at another side, as float32 grey levels."""
    found = cv2.resize(picture, (side, side), interpolation=_interpolation(min(picture.shape[:2]), side))
    return found.astype(np.float32)


def _interpolation(before: int, after: int) -> int:
    return cv2.INTER_AREA if after < before else cv2.INTER_LINEAR
