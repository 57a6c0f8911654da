"""Train EDSR on photos: `python -m sr_deepfake.train_sr photos=DIR validation=DIR`."""

from omegaconf import DictConfig

from sr_deepfake.app.program import program


@program("train_sr")
def main(cfg: DictConfig) -> None:
    """Photos → weights of EDSR, for `sr_model.weights=FILE`."""
    import hydra
    import torch

    from sr_deepfake.app import build
    from sr_deepfake.experiment.provenance import PROVENANCE, write_provenance
    from sr_deepfake.super_resolution.edsr import edsr, edsr_network
    from sr_deepfake.super_resolution.training.loop import train_network, training_folder
    from sr_deepfake.super_resolution.training.photos import Patches, ValidationPhotos, find_photos
    from sr_deepfake.system.hardware import helpful_workers
    from sr_deepfake.tracking.progress import progress_bar

    build.require_one_device(cfg)
    accelerator = {"cuda": "gpu"}.get(build.device(cfg).type, build.device(cfg).type)
    photos, validation = (find_photos(cfg[name], name) for name in ("photos", "validation"))
    schedule = hydra.utils.instantiate(cfg.schedule)
    settings = hydra.utils.instantiate(cfg.patches)
    torch.manual_seed(cfg.seed)
    if cfg.init is None:
        network = edsr_network(cfg.scale, **cfg.network)
    else:
        start = None if cfg.init == "bundled" else cfg.init
        network = edsr(cfg.scale, **cfg.network, weights=start).requires_grad_(True).train()
    folder = training_folder(
        build.outputs(cfg) / "super_resolution", cfg.name, network, settings, schedule, photos
    )
    with build.logger(cfg) as logger:
        weights = train_network(
            network,
            Patches(photos, settings, cfg.seed),
            ValidationPhotos(
                [path for group in validation for path in group], cfg.scale, max_side=settings.max_side
            ),
            schedule,
            folder,
            accelerator=accelerator,
            precision=cfg.trainer.precision,
            workers=helpful_workers(build.device(cfg).type) if cfg.workers is None else cfg.workers,
            logger=logger,
            progress=progress_bar(1) if cfg.trainer.enable_progress_bar else None,
        )
    if not (folder / PROVENANCE).exists():  # else it was finished before
        data = {"name": "photos", "files": str(sum(map(len, photos))), "training": folder.name}
        write_provenance(folder, build.provenance(cfg, data))
    print(f"Weights: {weights}\nUse them with: sr_model.weights={weights}")


if __name__ == "__main__":
    main()
