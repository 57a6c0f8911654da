"""Find the faces of videos: `python -m sr_deepfake.prepare data=ffpp data.root=/path/to/FaceForensics++`."""

from omegaconf import DictConfig

from sr_deepfake.app.program import program


@program("prepare")
def main(cfg: DictConfig) -> None:
    """Videos → face crops and their manifest; what is done already is not done again."""
    import hydra

    from sr_deepfake.data.extraction.workers import parse_shard

    if cfg.weights:
        from sr_deepfake.app.weights import fetch_weights

        print(fetch_weights(cfg))
        return
    source = hydra.utils.instantiate(cfg.data.source)
    if cfg.prepare.export is not None:
        from sr_deepfake.app.export import export

        print(export(cfg, source))
        return
    shard = parse_shard(cfg.prepare.shard, cfg.prepare.shards)
    summary = source.prepare(cfg.prepare.methods, shard, cfg.prepare.progress)
    print(summary.render())


if __name__ == "__main__":
    main()
