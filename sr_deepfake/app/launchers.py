"""Checks of a sweep's launcher before the work: missing packages, devices that clash."""

import importlib.metadata
import warnings

from hydra.conf import HydraConf
from omegaconf import DictConfig

from sr_deepfake.system.errors import UserError

# Hydra 1.3 checks our launchers against the options of their packages, as is wanted, and warns that 1.4 will not.
warnings.filterwarnings("ignore", message=r"\s*'hydra/launcher/\w+' is validated against ConfigStore schema")

_PACKAGES = {
    "joblib": ["hydra-joblib-launcher"],
    "submitit_local": ["hydra-submitit-launcher"],
    "submitit_slurm": ["hydra-submitit-launcher"],
    "ray": ["hydra-ray-launcher", "ray"],
}


def check_launcher(hydra: DictConfig | HydraConf, trainer: DictConfig | None) -> None:
    """See that a sweep can be launched as it is configured."""
    name = str(hydra.runtime.choices["hydra/launcher"])
    for package in _PACKAGES.get(name, []):
        try:
            importlib.metadata.distribution(package)
        except importlib.metadata.PackageNotFoundError:
            raise UserError(
                f"hydra/launcher={name} needs a package that is not installed: pip install {package}"
            ) from None
    launcher = hydra.launcher
    if launcher.get("tasks_per_node", 1) > 1 or launcher.get("nodes", 1) > 1:
        raise UserError(
            f"hydra.launcher.nodes={launcher.nodes} and tasks_per_node={launcher.tasks_per_node}: each task would do "
            "the whole job. Leave both at 1; for several GPUs a detector: trainer=ddp hydra.launcher.gpus_per_node=N"
        )
    wanted = launcher.ray.remote.get("num_gpus") or 0 if name == "ray" else 0
    if wanted and launcher.ray.init.get("address") is None:  # Ray would wait for ever for a GPU that there is not
        import torch

        here = torch.cuda.device_count()
        if wanted > here:
            raise UserError(
                f"hydra/launcher=ray: a job is to have {wanted:g} GPU(s), and torch finds {here} here: "
                f"hydra.launcher.ray.remote.num_gpus={here}, or name a cluster: hydra.launcher.ray.init.address=auto"
            )
    if trainer is not None and trainer.devices != 1:
        _check_devices(name, launcher, trainer.devices, trainer.accelerator)


def _check_devices(name: str, launcher: DictConfig, devices: int | str, accelerator: str) -> None:
    """Devices that train one detector together have to be that job's alone."""
    alone = "or train each detector on one device: trainer=auto"
    if name == "submitit_local" or (name == "joblib" and launcher.n_jobs != 1):
        raise UserError(
            f"trainer.devices={devices} with hydra/launcher={name}: several detectors would be trained at once on the "
            f"same devices. Leave out hydra/launcher, so that one follows the other, {alone}"
        )
    if accelerator == "cpu" or name not in ("submitit_slurm", "ray"):
        return
    if name == "ray":
        option, given = "hydra.launcher.ray.remote.num_gpus", launcher.ray.remote.get("num_gpus") or 0
    else:
        option, given = "hydra.launcher.gpus_per_node", launcher.gpus_per_node or 0
    several = devices in ("auto", -1)
    if given < 2 if several else given != devices:
        raise UserError(
            f"trainer.devices={devices}, and {option}={given:g} is what a job gets. "
            f"Give it {option}={2 if several else devices}, {alone}"
        )
