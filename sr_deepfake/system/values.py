"""Values that are written to files and compared as a whole."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, PlainSerializer

from sr_deepfake.system.files import digest, replacing

# Text with the name of a file, which need not be UTF-8: what is not is written as an escape.
Text = Annotated[str, PlainSerializer(lambda text: text.encode(errors="backslashreplace").decode(), when_used="json")]


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
