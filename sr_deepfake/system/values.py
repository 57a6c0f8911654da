"""Values that are written to files and compared as a whole."""

from pydantic import BaseModel, ConfigDict

from sr_deepfake.system.files import digest


class Frozen(BaseModel):
    """A typed value that does not change; equal values have equal keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @property
    def key(self) -> str:
        """64 hexadecimal digits that differ when anything in it differs."""
        return digest(self.model_dump(mode="json"))
