"""FakePolisher, against numpy and scikit-learn."""

import hashlib

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from sklearn.decomposition import PCA
from sklearn.linear_model import OrthogonalMatchingPursuit

from sr_deepfake.attacks import FakePolisher
from sr_deepfake.attacks.polisher import fit_polisher
from sr_deepfake.system.errors import UserError


def smooth_faces(count=30, side=24, seed=0):
    random = np.random.default_rng(seed)
    return [
        np.kron(random.integers(40, 200, (side // 8, side // 8, 3)), np.ones((8, 8, 1))).astype(np.uint8)
        for _ in range(count)
    ]


def test_principal_components_are_scikit_learns_and_the_face_is_projected_on_them(tmp_path):
    faces = smooth_faces()
    shown = fit_polisher(faces.__getitem__, len(faces), "pca", tmp_path / "p.safetensors", side=24, components=5)
    assert "components 5×1728" in shown
    attack = FakePolisher(str(tmp_path / "p.safetensors"))
    assert attack.name.startswith("fakepolisher-pca-n5-")
    face = smooth_faces(1, seed=9)[0]
    rows = np.stack(faces).reshape(len(faces), -1).astype(float)
    model = PCA(5, svd_solver="full").fit(rows)
    expected = model.inverse_transform(model.transform(face.reshape(1, -1))).reshape(face.shape).clip(0, 255)
    found = attack(torch.from_numpy(face).permute(2, 0, 1)[None].float() / 255) * 255
    np.testing.assert_allclose(found[0].permute(1, 2, 0), np.floor(expected), atol=1.01)
    assert attack.change(face).shape == face.shape
    assert attack.change(smooth_faces(1, 48)[0]).shape == (48, 48, 3)


def test_patches_are_rebuilt_from_few_atoms(tmp_path):
    random = np.random.default_rng(0)
    atoms = random.normal(size=(12, 192)).astype(np.float32)
    save_file({"atoms": atoms}, tmp_path / "d.safetensors")
    attack = FakePolisher(str(tmp_path / "d.safetensors"), atoms=10, coefficients=3)
    face = smooth_faces(1, 8)[0]  # one patch
    found = attack.change(face)
    digest = hashlib.sha256(f"{face.shape}".encode() + face.tobytes()).digest()
    kept = np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big"))).random((8, 8)) >= 0.1
    seen = np.repeat(kept.reshape(-1), 3)
    lengths = np.linalg.norm(atoms[:10, seen].astype(float), axis=1)
    model = OrthogonalMatchingPursuit(n_nonzero_coefs=3, fit_intercept=False)
    model.fit((atoms[:10, seen] / lengths[:, None]).T, face.reshape(-1)[seen].astype(float))
    rebuilt = (model.coef_ / lengths) @ atoms[:10]
    np.testing.assert_array_equal(found, np.floor(rebuilt.reshape(8, 8, 3).clip(0, 255)))


def test_patches_reach_the_far_edges_of_a_face(tmp_path):
    save_file({"atoms": np.tile(np.eye(3, dtype=np.float32), 64)}, tmp_path / "d.safetensors")  # red, green, blue
    face = np.full((11, 21, 3), (40, 90, 200), np.uint8)  # strides of 8 end before its edges
    found = FakePolisher(str(tmp_path / "d.safetensors"), coefficients=3, stride=8).change(face)
    np.testing.assert_allclose(found, face, atol=1.01)


def test_a_fitted_dictionary_keeps_what_it_knows(tmp_path):
    faces = smooth_faces(60)
    fit_polisher(faces.__getitem__, len(faces), "dictionary", tmp_path / "d.safetensors", components=20)
    attack = FakePolisher(str(tmp_path / "d.safetensors"), stride=4)
    assert np.abs(attack.change(faces[0]).astype(float) - faces[0]).mean() < 25
    assert np.array_equal(attack.change(faces[0]), attack.change(faces[0]))


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(UserError, match=r"prepare\.polisher=FILE"):
        FakePolisher(None)
    save_file({"other": np.zeros(3, np.float32)}, tmp_path / "o.safetensors")
    with pytest.raises(UserError, match="was not written by"):
        FakePolisher(str(tmp_path / "o.safetensors"))
    with pytest.raises(UserError, match="two pristine faces"):
        fit_polisher(smooth_faces(1).__getitem__, 1, "pca", tmp_path / "p.safetensors")
