"""Values that are written to files and compared as a whole."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from sr_deepfake.system.files import digest, replacing


class Frozen(BaseModel):
    """A typed value that does not change; equal values have equal keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @property
    def key(self) -> str:
        """64 hexadecimal digits that differ when anything in it differs."""
        return digest(self.model_dump(mode="json"))

    def write(self, path: Path) -> None:
        """Write it as JSON, whole or not at all; what is undefined is null."""
        with replacing(path) as temporary:
            temporary.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")
