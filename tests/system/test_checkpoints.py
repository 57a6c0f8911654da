import numpy as np
import torch
from torch.optim.swa_utils import AveragedModel

from sr_deepfake.system.checkpoints import load_pytorch, spellings, unwrapped


def test_a_file_of_an_averaged_and_compiled_network_is_read(tmp_path):
    network = torch.nn.Linear(2, 3)
    averaged = AveragedModel(torch.nn.Sequential(network))
    content = {"params": {"old": torch.zeros(1)}, "params_ema": averaged.state_dict(), "psnr": np.float64(31.2)}
    torch.save(content, tmp_path / "net.pth")
    read = unwrapped(load_pytorch(tmp_path / "net.pth"))
    assert set(read) == {"module.0.weight", "module.0.bias"}  # without n_averaged, which is no weight
    assert [set(names) for names in spellings(read)][-1] == {"0.weight", "0.bias"}
    torch.testing.assert_close(read["module.0.weight"], network.weight)


def test_most_names_decide_about_a_prefix():
    state = {f"model.{name}": 1 for name in "abc"} | {"loss.weight": 1}
    assert "a" in list(spellings(state))[-1]
    assert list(spellings({"model.a": 1, "b": 1})) == [{"model.a": 1, "b": 1}]
