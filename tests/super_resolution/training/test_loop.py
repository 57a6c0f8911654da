import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from sr_deepfake.super_resolution.edsr import edsr, edsr_network
from sr_deepfake.super_resolution.training.loop import train_network, training_folder
from sr_deepfake.super_resolution.training.module import Schedule, SuperResolutionTraining
from sr_deepfake.super_resolution.training.photos import (
    Patches,
    PatchSettings,
    ValidationPhotos,
    bicubic_enlarged,
)
from sr_deepfake.system.errors import UserError

SETTINGS = PatchSettings(patch=8, sizes=(1.0,))
SCHEDULE = Schedule(steps=8, batch=2, check=2, learning_rate=1e-3, warmup=2)


@pytest.fixture
def photos(tmp_path):
    random = np.random.default_rng(0)
    paths = []
    for index in range(3):
        coarse = Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        path = tmp_path / f"{index}.png"
        coarse.resize((64, 64), Image.Resampling.BICUBIC).save(path)
        paths.append(path)
    return paths


def network():
    torch.manual_seed(0)
    return edsr_network(scale=2, blocks=1, features=4)


def train(folder, photos, schedule=SCHEDULE, patches=None):
    return train_network(
        network(),
        patches or Patches([photos], SETTINGS),
        ValidationPhotos(photos[:1], scale=2, side=32),
        schedule,
        folder,
    )


@pytest.mark.parametrize("optimiser", ["muon", "adam"])
def test_training_lowers_the_loss_and_writes_weights_that_edsr_reads(tmp_path, photos, optimiser):
    schedule = Schedule(
        steps=120, batch=4, check=60, optimiser=optimiser, learning_rate=1e-2, warmup=10, average=0.9
    )
    before = SuperResolutionTraining(network(), schedule)
    weights = train(tmp_path / "run", photos, schedule)
    after = edsr(2, 1, 4, weights=str(weights))
    patches = Patches([photos], SETTINGS)
    small, large = (
        torch.stack(items).float() / 255 for items in zip(*(patches[key] for key in range(8)), strict=True)
    )
    with torch.no_grad():
        errors = [(net(small) - large).abs().mean().item() for net in (before.network, after)]
    assert errors[1] < errors[0] * 0.7
    assert all(tensor.dtype == torch.float16 for tensor in load_file(weights).values())
    summary = json.loads((tmp_path / "run" / "training.json").read_text())
    assert summary["schedule"]["steps"] == 120
    assert summary["best_step"] in (60, 120)


def test_validation_is_psnr_of_8_bit_rgb(photos):
    module = SuperResolutionTraining(network(), SCHEDULE)
    logged = {}
    module.log = lambda name, value, **options: logged.update({name: float(value)})
    item = ValidationPhotos(photos[:1], scale=2, side=32)[0]
    with torch.no_grad():
        module.validation_step(item, 0)
        large = module.network(item["small"][None].float() / 255)[0]

    def psnr(picture):
        return 10 * np.log10(255**2 / np.mean((picture - item["large"].numpy().astype(np.float64)) ** 2))

    small = item["small"].permute(1, 2, 0).numpy()
    ours = psnr((large * 255).round().clamp(0, 255).double().numpy())
    bicubic = psnr(bicubic_enlarged(small, 2).transpose(2, 0, 1).astype(np.float64))
    assert logged["val/psnr"] == pytest.approx(ours, abs=1e-3)
    assert logged["val/gain"] == pytest.approx(ours - bicubic, abs=1e-3)


class InterruptedRunError(Exception):
    pass


class Interrupting(Patches):
    """Fails at a certain patch, as a killed run does."""

    fails_at = 9

    def __getitem__(self, key):
        if key == self.fails_at:
            raise InterruptedRunError
        return super().__getitem__(key)


def test_an_interrupted_training_ends_as_if_it_had_not_been(tmp_path, photos):
    undisturbed = load_file(train(tmp_path / "one", photos))
    with pytest.raises(InterruptedRunError):
        train(tmp_path / "two", photos, patches=Interrupting([photos], SETTINGS))
    assert (tmp_path / "two" / "last.ckpt").exists()
    assert not (tmp_path / "two" / "weights.safetensors").exists()
    resumed = load_file(train(tmp_path / "two", photos))
    assert resumed.keys() == undisturbed.keys()
    for name, tensor in undisturbed.items():
        assert torch.equal(resumed[name], tensor), name


def test_a_finished_training_is_not_repeated(tmp_path, photos):
    weights = train(tmp_path / "run", photos)
    written = weights.stat().st_mtime_ns
    broken = Interrupting([photos], SETTINGS)
    broken.fails_at = 0
    assert train(tmp_path / "run", photos, patches=broken) == weights
    assert weights.stat().st_mtime_ns == written


def test_the_folder_differs_with_all_that_changes_the_result(tmp_path, photos):
    def folder(net=None, patches=SETTINGS, schedule=SCHEDULE, files=None):
        return training_folder(tmp_path, "edsr", net or network(), patches, schedule, files or [photos])

    torch.manual_seed(1)
    other = edsr_network(scale=2, blocks=1, features=4)
    folders = [
        folder(),
        folder(net=other),
        folder(patches=PatchSettings(patch=16, sizes=(1.0,))),
        folder(schedule=Schedule(steps=9, batch=2)),
        folder(files=[photos[:2]]),
        folder(files=[[photo] for photo in photos]),
    ]
    assert len(set(folders)) == len(folders)
    assert folder() == folders[0]
    assert folders[0].name.startswith("edsr-")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "l3"}, r"schedule\.loss='l3' is not a choice"),
        ({"optimiser": "adma"}, r"schedule\.optimiser=.adma. is not a choice. Did you mean .adam.?"),
        ({"steps": 0}, r"schedule\.steps=0"),
        ({"batch": 0}, r"schedule\.batch=0"),
        ({"check": -1}, r"schedule\.check=-1"),
    ],
)
def test_bad_settings_are_named(options, message):
    with pytest.raises(UserError, match=message):
        Schedule(**options)


@pytest.mark.parametrize(("steps", "check", "length"), [(10, 4, 12), (8, 4, 8), (3, 250, 3), (251, 250, 500)])
def test_the_rate_falls_to_the_end_whatever_the_checks_round_up_to(steps, check, length):
    schedule = Schedule(steps=steps, check=check, warmup=2)
    assert schedule.length == length
    module = SuperResolutionTraining(edsr_network(2, blocks=1, features=4), schedule)
    made = module.configure_optimizers()
    optimiser, rate = made["optimizer"], made["lr_scheduler"]["scheduler"]
    rates = []
    for _ in range(length):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        rate.step()
    top = rates.index(max(rates))
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert optimiser.param_groups[0]["lr"] == pytest.approx(
        schedule.learning_rate * schedule.final_learning_rate
    )
