import errno
import os
import pickle
import shutil
import signal
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from forked import start
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

from sr_deepfake.attacks import cache as module
from sr_deepfake.attacks.base import Attack
from sr_deepfake.attacks.cache import CachedAttack
from sr_deepfake.attacks.super_resolution import SuperResolutionAttack
from sr_deepfake.super_resolution.edsr import edsr
from sr_deepfake.system.errors import UserError

CPU = torch.device("cpu")


class Shift(Attack):
    """Adds a grey level to each, modulo 256, and notes how many faces it was given."""

    kind = "shift"

    def __init__(self, amount=7):
        super().__init__()
        self.amount = nn.Parameter(torch.tensor(float(amount)))
        self._batches = []

    def forward(self, faces):
        self._batches.append(len(faces))
        return ((faces * 255).round() + self.amount).remainder(256) / 255


def random_faces(count=4, side=24, seed=0, width=None):
    levels = np.random.default_rng(seed).integers(0, 256, (count, 3, side, width or side), dtype=np.uint8)
    return torch.from_numpy(levels).float() / 255


def cached(folder, amount=7):
    return CachedAttack(Shift(amount), folder)


def forbidden(attack):
    """The same attack, which may not be called."""

    def refuse(faces):
        raise AssertionError(f"the attack was called with {len(faces)} faces")

    attack.attack.forward = refuse
    return attack


def stored(folder):
    return sorted(folder.rglob("*.png"))


@settings(max_examples=30)
@given(
    count=st.integers(1, 4),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    seed=st.integers(0, 2**32),
    amount=st.integers(0, 255),
)
def test_what_comes_back_is_the_attacks_result_to_the_bit(count, height, width, seed, amount):
    faces = random_faces(count, height, seed, width).contiguous(memory_format=torch.channels_last)
    expected = Shift(amount)(faces)
    with tempfile.TemporaryDirectory() as folder:
        attack = cached(Path(folder), amount)
        results = attack(faces), forbidden(attack)(faces)
    for result in results:
        assert torch.equal(result, expected)
        assert result.dtype == torch.float32
        assert not result.requires_grad
        assert result.is_contiguous()


def test_super_resolution_is_remembered_to_the_bit_and_people_can_look_at_it(tmp_path):
    faces = random_faces(1, 48)
    attack = CachedAttack(SuperResolutionAttack(edsr()), tmp_path)
    expected = attack.attack(faces)
    assert torch.equal(attack(faces), expected)
    (path,) = stored(tmp_path)
    with Image.open(path) as image:
        assert image.mode == "RGB"
        np.testing.assert_array_equal(np.array(image), (expected[0] * 255).round().permute(1, 2, 0).numpy())
    assert torch.equal(forbidden(attack)(faces), expected)
    assert attack.name == attack.attack.name


def test_only_faces_that_are_missing_are_attacked_once_each_in_one_batch(tmp_path):
    faces = random_faces(6)[[0, 1, 2, 3, 4, 5, 0, 0]]
    first, second = cached(tmp_path), cached(tmp_path)
    first(faces[[1, 4]])
    assert torch.equal(second(faces), Shift()(faces))
    assert second.attack._batches == [4]
    assert (second.found, second.computed, second.refused) == (4, 4, 0)
    assert torch.equal(second(faces.flip(0)), Shift()(faces.flip(0)))
    assert (second.found, second.computed, second.refused) == (12, 4, 0)
    assert len(stored(tmp_path)) == 6


def test_faces_of_the_same_bytes_and_another_shape_are_others(tmp_path):
    attack = cached(tmp_path)
    wide, tall = (torch.zeros(1, 3, *size) for size in ((12, 24), (24, 12)))
    assert attack(wide).shape == wide.shape
    assert attack(tall).shape == tall.shape
    assert attack.computed == 2


def test_faces_between_levels_count_as_saved(tmp_path):
    faces = random_faces(2)
    attack = cached(tmp_path)
    assert torch.equal(attack((faces + 0.3 / 255).clamp(0, 1)), Shift()(faces))
    assert torch.equal(forbidden(attack)(faces), Shift()(faces))


def test_an_empty_batch_comes_back_empty(tmp_path):
    assert forbidden(cached(tmp_path))(torch.zeros(0, 3, 24, 24)).shape == (0, 3, 24, 24)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    "result",
    [
        torch.full((1, 3, 4, 4), 0.5),
        torch.full((1, 3, 4, 4), float("nan")),
        torch.full((1, 3, 4, 4), 256 / 255),
        torch.full((1, 3, 4, 4), -1 / 255),
        torch.zeros(1, 3, 8, 8),
        torch.zeros(2, 3, 4, 4),
    ],
)
def test_nothing_is_kept_of_an_attack_that_breaks_the_contract(tmp_path, result):
    attack = cached(tmp_path)
    attack.attack.forward = lambda faces: result
    with pytest.raises(ValueError, match="the attack"):
        attack(torch.zeros(1, 3, 4, 4))
    assert not stored(tmp_path)


# Tampering. Each leaves files that must not be used, and returns how many faces are to be computed again.


def one_bit(folder, other):
    path = stored(folder)[1]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 16
    path.write_bytes(content)
    return 1


def truncated(folder, other):
    for path, size in zip(stored(folder), (0, 1, 40, -1), strict=True):
        path.write_bytes(path.read_bytes()[:size])
    return 4


def renamed(folder, other):
    """Two faces change their names."""
    first, second = stored(folder)[:2]
    contents = first.read_bytes(), second.read_bytes()
    first.write_bytes(contents[1])
    second.write_bytes(contents[0])
    return 2


def of_other_weights(folder, other):
    """All files of another attack, copied over ours: the same names, the same faces."""
    shutil.copytree(cached(other, 8).place(CPU), cached(folder).place(CPU), dirs_exist_ok=True)
    return 4


def link_to_a_folder(folder, other):
    """What is in the way cannot be read, and is no file to be replaced."""
    path = stored(folder)[0]
    path.unlink()
    path.symlink_to(folder)
    return 1


@pytest.mark.parametrize("tamper", [one_bit, truncated, renamed, of_other_weights, link_to_a_folder])
def test_what_was_tampered_with_is_computed_again(tmp_path, tamper):
    faces = random_faces(4)
    folder, other = tmp_path / "ours", tmp_path / "other"
    cached(folder)(faces)
    cached(other, 8)(faces)
    before = [path.read_bytes() for path in stored(folder)]
    damaged = tamper(folder, other)
    attack = cached(folder)
    assert torch.equal(attack(faces), Shift()(faces))
    assert (attack.found, attack.computed, attack.refused) == (4 - damaged, damaged, damaged)
    again = forbidden(cached(folder))
    assert torch.equal(again(faces), Shift()(faces))
    assert again.refused == 0
    assert [path.read_bytes() for path in stored(folder)] == before


def test_a_deleted_face_is_just_missing(tmp_path):
    faces = random_faces(4)
    attack = cached(tmp_path)
    attack(faces)
    stored(tmp_path)[0].unlink()
    assert torch.equal(attack(faces), Shift()(faces))
    assert (attack.found, attack.computed, attack.refused) == (3, 5, 0)
    shutil.rmtree(tmp_path)
    assert torch.equal(attack(faces), Shift()(faces))
    assert (attack.computed, attack.refused) == (9, 0)


def test_other_weights_have_another_folder(tmp_path):
    faces = random_faces(4)
    attacks = [cached(tmp_path, amount) for amount in (7, 8)]
    for attack in attacks:
        attack(faces)
        assert attack.computed == 4
    assert attacks[0].place(CPU) != attacks[1].place(CPU)
    assert {path.parents[1] for path in stored(tmp_path)} == {attack.place(CPU) for attack in attacks}
    for attack in attacks:
        assert torch.equal(forbidden(attack)(faces), Shift(attack.attack.amount.item())(faces))


def test_the_settings_stored_with_the_faces_are_never_read(tmp_path):
    faces = random_faces(2)
    ours = cached(tmp_path)
    ours(faces)
    settings_file = ours.place(CPU) / "settings.json"
    assert '"name": "shift"' in settings_file.read_text()
    settings_file.write_text("those of another")
    assert torch.equal(forbidden(cached(tmp_path))(faces), Shift()(faces))
    settings_file.unlink()
    assert torch.equal(forbidden(cached(tmp_path))(faces), Shift()(faces))


def test_a_full_disk_is_named_with_the_way_out(tmp_path, monkeypatch):
    attack = cached(tmp_path)

    def full(source, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(UserError, match=r"No space left on device.*cache\.folder=.*cache\.attacked=false") as caught:
        attack(random_faces(1))
    assert str(attack.place(CPU)) in str(caught.value)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_where_all_faces_are_found_nothing_is_written(tmp_path, monkeypatch):
    faces = random_faces(3)
    cached(tmp_path)(faces)

    def read_only(*arguments):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(module, "replacing", read_only)
    monkeypatch.setattr(module, "write_json", read_only)
    assert torch.equal(forbidden(cached(tmp_path))(faces), Shift()(faces))
    with pytest.raises(UserError, match="Read-only file system"):
        cached(tmp_path)(random_faces(1, seed=9))


class Slow(Attack):
    kind = "slow"

    def forward(self, faces):
        time.sleep(0.02)
        return (255 - (faces * 255).round()) / 255


def attack_slowly(folder, stop=-1):
    """Attack 80 faces, 2 at a time, and check the result; what was found, computed, refused lies beside the folder."""
    attack = CachedAttack(Slow(), folder)
    for number, faces in enumerate(random_faces(80).split(2)):
        if number == stop:
            time.sleep(600)  # until it is killed
        assert torch.equal(attack(faces), Slow()(faces))
    counts = (attack.found, attack.computed, attack.refused)
    folder.with_name(f"counts-{os.getpid()}").write_text(" ".join(map(str, counts)))
    return counts


def test_a_run_that_was_killed_is_continued(tmp_path):
    folder = tmp_path / "faces"
    process = start(attack_slowly, folder, 30)
    try:
        while len(stored(folder)) < 10:  # killed at some moment between the 10th and the 60th face
            assert process.is_alive()
            time.sleep(0.01)
    finally:
        process.kill()
        process.join()
    assert process.exitcode == -signal.SIGKILL
    done = len(stored(folder))
    assert 10 <= done <= 60
    assert attack_slowly(folder) == (done, 80 - done, 0)


def test_two_processes_use_one_folder_at_the_same_time(tmp_path):
    folder = tmp_path / "faces"
    processes = [start(attack_slowly, folder) for _ in range(2)]
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0]
    for file in tmp_path.glob("counts-*"):
        found, computed, refused = map(int, file.read_text().split())
        assert found + computed == 80
        assert refused == 0
    attack = forbidden(CachedAttack(Slow(), folder))
    for faces in random_faces(80).split(2):
        attack(faces)
    assert attack.found == 80
    assert len([path for path in folder.rglob("*") if path.is_file()]) == 81  # nothing but faces and settings


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpus_result_is_remembered_to_the_bit(tmp_path):
    faces = random_faces(3, 48).cuda()
    attack = CachedAttack(SuperResolutionAttack(edsr()), tmp_path).cuda()
    expected = attack.attack(faces)
    computed = attack(faces)
    assert computed.device == faces.device
    assert torch.equal((computed * 255).round(), (expected * 255).round())
    assert torch.isin(computed.cpu(), torch.arange(256).float() / 255).all()
    assert torch.equal(forbidden(attack)(faces), computed)
    assert attack.place(faces.device) != attack.place(CPU)


def test_what_was_attacked_is_given_back_to_the_last_bit_in_another_process_too(tmp_path):
    faces, attack = random_faces(5), cached(tmp_path)
    attacked = (attack(faces) * 255).round().to(torch.uint8)
    pickled = pickle.dumps(attack.recall(CPU))
    assert len(pickled) < 10_000  # without the network
    recall = pickle.loads(pickled)  # noqa: S301  # as a loader's worker gets it
    for face, expected in zip((faces * 255).round().to(torch.uint8), attacked, strict=True):
        given = recall(face)
        assert given.dtype == torch.uint8
        assert torch.equal(given, expected)


@pytest.mark.parametrize("damage", [Path.unlink, lambda file: file.write_bytes(file.read_bytes()[:-1])])
def test_a_face_that_is_gone_or_damaged_is_no_silent_fallback(tmp_path, damage):
    faces, attack = random_faces(1), cached(tmp_path)
    attack(faces)
    damage(*stored(tmp_path))
    with pytest.raises(UserError, match=r"one is gone or damaged; .*run again"):
        attack.recall(CPU)((faces[0] * 255).round().to(torch.uint8))
