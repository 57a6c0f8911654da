import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sr_deepfake.data.augmentation import Augmentation
from sr_deepfake.data.images import read_face
from sr_deepfake.data.loaders import EpochSampler, SideBatches, face_loader, training_loader


@given(st.lists(st.sampled_from([24, 48, 72, 96, 240])), st.integers(1, 300_000))
def test_every_face_comes_once_with_faces_of_its_side_in_bounded_batches(sides, max_pixels):
    batches = list(SideBatches(sides, max_pixels))
    assert sorted(index for batch in batches for index in batch) == list(range(len(sides)))
    for batch in batches:
        assert len({sides[index] for index in batch}) == 1
        assert len(batch) == 1 or len(batch) * sides[batch[0]] ** 2 <= max_pixels


@given(st.integers(0, 50), st.integers(0, 5), st.integers(0, 5))
def test_a_shuffle_depends_on_seed_and_epoch_alone(length, seed, epoch):
    one, other = EpochSampler(length, seed), EpochSampler(length, seed)
    one.set_epoch(epoch)
    list(other)  # earlier passes do not matter
    other.set_epoch(epoch)
    assert list(one) == list(other)
    assert sorted(one) == [(epoch, index) for index in range(length)]


def test_faces_come_as_they_lie_on_disk(make_faces, tmp_path):
    rows = make_faces({"test": 5})
    seen = []
    for batch in face_loader(rows, tmp_path, max_pixels=3 * 48 * 48):
        assert batch.faces.dtype == torch.float32
        for face, label, (_, row) in zip(batch.faces, batch.labels, batch.rows.iterrows(), strict=True):
            assert torch.equal((face * 255).round().to(torch.uint8), read_face(tmp_path / row["path"]))
            assert (label.item(), face.shape[-1]) == (row["label"], row["side"])
            seen.append(row["face_id"])
    assert sorted(seen) == sorted(rows["face_id"])


def batches(rows, folder, workers, epoch, share=(0, 1)):
    loader = training_loader(
        rows,
        folder,
        size=48,
        augmentation=Augmentation({"noise": 0.5, "flip": 0.5}),
        batch_size=4,
        seed=3,
        workers=workers,
        share=share,
    )
    loader.sampler.set_epoch(epoch)
    return list(loader)


def test_training_batches_do_not_depend_on_the_number_of_workers(make_faces, tmp_path):
    rows = make_faces({"train": 7})
    alone, helped = batches(rows, tmp_path, 0, epoch=2), batches(rows, tmp_path, 2, epoch=2)
    assert len(alone) == len(helped) == 3  # 14 faces; the last two would be a smaller batch
    for (faces, labels), (others, other_labels) in zip(alone, helped, strict=True):
        assert torch.equal(faces, others)
        assert torch.equal(labels, other_labels)
        assert faces.shape == (4, 3, 48, 48)
        assert faces.min() >= 0
        assert faces.max() <= 1


def test_every_epoch_is_another_one(make_faces, tmp_path):
    rows = make_faces({"train": 7})
    first, second = (torch.cat([faces for faces, _ in batches(rows, tmp_path, 0, epoch)]) for epoch in (0, 1))
    assert not np.array_equal(first.numpy(), second.numpy())


@pytest.mark.parametrize("faces", [7, 2])  # the second: fewer than a batch
def test_processes_that_share_batches_have_those_of_one(make_faces, tmp_path, faces):
    rows = make_faces({"train": faces})
    whole = batches(rows, tmp_path, 0, epoch=1)
    parts = [batches(rows, tmp_path, 0, epoch=1, share=(number, 2)) for number in range(2)]
    assert len(parts[0]) == len(parts[1]) == len(whole)
    for (expected, labels), *shares in zip(whole, *parts, strict=True):
        for number, (found, found_labels) in enumerate(shares):
            assert torch.equal(found, expected[number::2])
            assert torch.equal(found_labels, labels[number::2])


def test_parts_that_are_not_equal_are_an_error(make_faces, tmp_path):
    with pytest.raises(ValueError, match="3 processes cannot have equal parts of a batch of 4 faces"):
        batches(make_faces({"train": 7}), tmp_path, 0, epoch=0, share=(0, 3))
