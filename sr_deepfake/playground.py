"""A page to try attacks in: `python -m sr_deepfake.playground` (pip install -e '.[playground]')."""

from omegaconf import DictConfig

from sr_deepfake.app.program import program
from sr_deepfake.experiment.jobs import Outcome


@program("playground")
def main(cfg: DictConfig, outcome: Outcome) -> None:
    """Serve the page on this machine until Ctrl-C; what was dropped on it is removed at the end."""
    import os
    import signal
    import tempfile

    from sr_deepfake.system.errors import UserError

    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    try:
        import gradio  # noqa: F401  # here, since it takes seconds
    except ImportError:
        raise UserError("the playground needs gradio: pip install -e '.[playground]'") from None
    from sr_deepfake.app.playground import page

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was dropped is removed then, too
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        page(cfg, folder).launch(server_name=cfg.host, server_port=cfg.port, share=False, footer_links=[])


if __name__ == "__main__":
    main()
