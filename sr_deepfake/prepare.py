"""Find the faces of videos: `python -m sr_deepfake.prepare data=ffpp data.root=/path/to/FaceForensics++`."""

from omegaconf import DictConfig

from sr_deepfake.app.program import program
from sr_deepfake.experiment.jobs import Outcome


@program("prepare")
def main(cfg: DictConfig, outcome: Outcome) -> None:
    """Videos → face crops and their manifest; what is done already is not done again."""
    from hydra.utils import instantiate

    from sr_deepfake.data.extraction.workers import parse_shard

    if cfg.weights:
        from sr_deepfake.app.preparation import fetch_weights

        print(fetch_weights(cfg))
        return
    source = instantiate(cfg.data.source)
    if cfg.prepare.polisher is not None:
        from sr_deepfake.app.preparation import fit

        print(fit(cfg, source))
        return
    if cfg.prepare.export is not None:
        from sr_deepfake.app.preparation import export

        print(export(cfg, source))
        return
    shard = parse_shard(cfg.prepare.shard, cfg.prepare.shards)
    print(source.prepare(cfg.prepare.methods, shard, cfg.prepare.progress))


if __name__ == "__main__":
    main()
