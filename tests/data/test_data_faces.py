import torch
from hypothesis import given
from hypothesis import strategies as st

from sr_deepfake.data.faces import EpochSampler, SideBatches, StoredFaces
from sr_deepfake.data.images import read_face

SIDES = st.lists(st.sampled_from([24, 48, 72, 96, 240]))


@given(SIDES, st.integers(1, 300), st.integers(1, 300_000), st.integers(1, 70))
def test_every_face_comes_once_with_faces_of_its_side_in_bounded_batches(sides, input_side, most, count):
    batches = list(SideBatches(sides, input_side, most, count))
    assert sorted(index for batch in batches for index in batch) == list(range(len(sides)))
    for batch in batches:
        assert len({sides[index] for index in batch}) == 1
        assert len(batch) <= count
        assert len(batch) == 1 or len(batch) * max(sides[batch[0]], input_side) ** 2 <= most


def test_small_faces_do_not_fill_a_batch_that_the_detector_cannot_hold():
    assert max(len(batch) for batch in SideBatches([24] * 2787, input_side=224)) == 32
    assert max(len(batch) for batch in SideBatches([24] * 2787, input_side=48)) == 64


@given(st.integers(0, 50), st.integers(0, 5), st.integers(0, 5))
def test_a_shuffle_depends_on_seed_and_epoch_alone(length, seed, epoch):
    one, other = EpochSampler(length, seed), EpochSampler(length, seed)
    one.set_epoch(epoch)
    list(other)  # earlier passes do not matter
    other.set_epoch(epoch)
    assert list(one) == list(other)
    assert sorted(one) == [(epoch, index) for index in range(length)]


@given(st.integers(1, 40), st.integers(1, 4))
def test_processes_share_what_one_would_have(length, count):
    used = length // count * count
    whole = list(EpochSampler(length, 0, used))
    parts = [list(EpochSampler(length, 0, used, (number, count))) for number in range(count)]
    for number, part in enumerate(parts):
        assert part == whole[number::count]
        assert len(part) == len(EpochSampler(length, 0, used, (number, count)))


def test_faces_come_as_they_lie_on_disk(make_faces, tmp_path):
    rows = make_faces({"test": 5})
    stored = StoredFaces(rows, tmp_path)
    batch = stored[[2, 0]]
    assert (len(stored), batch.faces.dtype, batch.attacked) == (10, torch.float32, None)
    for face, label, (_, row) in zip(batch.faces, batch.labels, batch.rows.iterrows(), strict=True):
        assert torch.equal((face * 255).round().to(torch.uint8), read_face(tmp_path / row["path"]))
        assert (label.item(), face.shape[-1]) == (row["label"], row["side"])
    assert list(batch.rows["face_id"]) == [rows["face_id"][2], rows["face_id"][0]]
    moved = batch.to("meta")
    assert (moved.faces.device.type, moved.labels.device.type) == ("meta", "meta")
    assert moved.rows is batch.rows
