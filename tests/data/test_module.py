import pickle

import pandas as pd
import pytest
import torch
from small_training import tiny_data, tiny_detector, tiny_trainer

from sr_deepfake.attacks import Attack
from sr_deepfake.data.manifest import read_videos, write_videos
from sr_deepfake.system.errors import UserError


class Darker(Attack):
    """Counts how often it is called, and with how many faces."""

    kind = "darker"

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, faces):
        self.seen.append(tuple(faces.shape))
        return (faces * 255 * 0.9).round() / 255


def batches(data, epoch=0):
    loader = data.train_dataloader()
    loader.sampler.set_epoch(epoch)
    return list(loader)


@pytest.fixture
def folder(make_faces, tmp_path):
    make_faces({"train": 7, "val": 3, "test": 5})
    return tmp_path


OPTIONS = {"augmentation": {"noise": 0.5, "flip": 0.5}, "batch_size": 4, "seed": 3}


def test_training_batches_do_not_depend_on_the_number_of_workers(folder):
    alone = batches(tiny_data(folder, **OPTIONS), epoch=2)
    helped = batches(tiny_data(folder, workers=2, **OPTIONS), epoch=2)
    assert len(alone) == len(helped) == 3  # 14 faces; the last two would be a smaller batch
    for (faces, labels), (others, other_labels) in zip(alone, helped, strict=True):
        assert torch.equal(faces, others)
        assert torch.equal(labels, other_labels)
        assert faces.shape == (4, 3, 48, 48)
        assert 0 <= faces.min() < faces.max() <= 1
    another = batches(tiny_data(folder, **OPTIONS), epoch=1)
    assert not any(torch.equal(faces, others) for (faces, _), (others, _) in zip(alone, another, strict=True))


def test_every_face_is_scored_once(folder):
    """As it lies on disk: `test_faces_come_as_they_lie_on_disk`."""
    data = tiny_data(folder)
    for split, loader in (("val", data.val_dataloader()), ("test", data.test_dataloader())):
        assert sorted(pd.concat([batch.rows for batch in loader])["face_id"]) == sorted(data.rows(split)["face_id"])


def test_only_pristine_faces_and_those_of_the_method_are_there(make_faces, tmp_path):
    make_faces({"train": 2, "val": 2, "test": 2})
    videos = read_videos(tmp_path / "videos.csv")
    every_second = videos["video_id"].str.endswith("001_002")
    write_videos(videos.assign(method=videos["method"].mask(every_second, "Deepfakes")), tmp_path / "videos.csv")
    data = tiny_data(tmp_path, tested_on="Deepfakes")
    assert data.pos_weight == 2.0  # pristine faces a fake
    assert set(data.rows("train")["method"]) == set(data.rows("val")["method"]) == {"pristine", "FaceSwap"}
    assert set(data.rows("test")["method"]) == {"pristine", "Deepfakes"}
    with pytest.raises(UserError, match=r"sr_deepfake\.prepare"):
        tiny_data(tmp_path, forgery="NeuralTextures").rows("train")


def test_whole_batches_are_attacked_while_testing_and_never_else(folder):
    attack = Darker()
    data = tiny_data(folder, attack=attack)
    tiny_trainer().validate(tiny_detector(), datamodule=data, verbose=False)
    assert attack.seen == []
    tiny_trainer().test(tiny_detector(), datamodule=data, verbose=False)
    assert sorted(attack.seen) == [(2, 3, 72, 72), (2, 3, 72, 72), (3, 3, 48, 48), (3, 3, 48, 48)]  # by class
    data.attack = None
    tiny_trainer().test(tiny_detector(), datamodule=data, verbose=False)
    assert len(attack.seen) == 4


def test_an_attack_that_is_moved_while_testing_still_has_gradients(folder):
    """Lightning tests in inference mode, and what is moved to a GPU in it has none; a stand-in for such a device."""

    class Moved(Darker):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(1))

        def to(self, device):
            self.weight.data = self.weight.data.clone()
            return self

    data = tiny_data(folder, attack=Moved())
    tiny_trainer().test(tiny_detector(), datamodule=data, verbose=False)
    assert not data.attack.weight.is_inference()


def test_augmentation_on_the_device_happens_there(folder):
    data = tiny_data(folder, augment_on="device", **OPTIONS)
    faces, labels, drawn = batches(data)[0]
    assert (faces.dtype, drawn.shape) == (torch.uint8, (4, 8))
    augmented, same = data.on_after_batch_transfer((faces, labels, drawn), 0)
    assert augmented.dtype == torch.float32
    assert augmented.max() <= 1
    assert torch.equal(same, labels)
    moved, labels, stays = data.transfer_batch_to_device((faces, labels, drawn), torch.device("meta"), 0)
    assert (moved.device.type, labels.device.type, stays.device.type) == ("meta", "meta", "cpu")


@pytest.mark.parametrize(
    ("devices", "message"),
    [(3, r"does not divide a batch of 8 faces .*; 1, 2, 4, 8 do"), (8, "more than the 6 faces for validation")],
)
def test_shares_that_would_not_be_equal_are_errors(folder, devices, message):
    data = tiny_data(folder)
    data.check_devices(1)
    with pytest.raises(UserError, match=message):
        data.check_devices(devices)


@pytest.mark.parametrize("workers", [-1, "many", 1.5])
def test_workers_are_a_number(folder, workers):
    with pytest.raises(UserError, match=r"data\.workers"):
        tiny_data(folder, workers=workers)


def test_it_goes_to_other_processes(folder):
    data = tiny_data(folder, **OPTIONS)
    data.prepare_data()
    copy = pickle.loads(pickle.dumps(data))  # noqa: S301 - made here
    for (faces, _), (others, _) in zip(batches(data), batches(copy), strict=True):
        assert torch.equal(faces, others)


def test_loaders_keep_their_workers_and_pin_memory_for_a_gpu_alone(folder):
    loader = tiny_data(folder, workers=1).test_dataloader()
    assert loader.persistent_workers
    assert not loader.pin_memory
