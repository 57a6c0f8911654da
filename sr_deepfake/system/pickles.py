"""Networks that were pickled whole by torch.save(model), read as data: nothing that the pickle names is imported or run."""

import io
import pickle
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_MAGIC = 0x1950A86A20F9469CFC6C  # of files of torch before 1.6
_LARGEST = 2**36  # bytes of a storage; more is damage


class _Inert:
    """Stands for an object of any class: keeps its state, does nothing."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Take what its class would."""

    def __setstate__(self, state: Any) -> None:
        self.__dict__.update(state if isinstance(state, dict) else {})

    def __setitem__(self, key: Any, value: Any) -> None:
        """Take an item of a dictionary."""

    def append(self, value: Any) -> None:
        """Take an item of a list."""

    def extend(self, values: Any) -> None:
        """Take items of a list."""


class _Storage:
    """Where the numbers of tensors are; they are read after the pickle."""

    def __init__(self, kind: str, count: int) -> None:
        self.dtype = {
            "FloatStorage": torch.float32, "DoubleStorage": torch.float64, "HalfStorage": torch.float16,
            "LongStorage": torch.int64, "IntStorage": torch.int32, "BFloat16Storage": torch.bfloat16,
        }[kind]  # fmt: skip
        self.count = int(count)
        self.values = torch.empty(0)

    def fill(self, data: bytes) -> None:
        if len(data) != self.count * self.dtype.itemsize:
            raise ValueError("a storage is cut short")
        self.values = torch.frombuffer(bytearray(data), dtype=self.dtype) if data else torch.empty(0, dtype=self.dtype)


class _Record:
    """A tensor before its numbers are there."""

    def __init__(
        self, storage: _Storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *rest: Any
    ) -> None:
        self.storage, self.offset, self.size, self.stride = storage, offset, size, stride

    def tensor(self) -> Tensor:
        return self.storage.values.as_strided(self.size, self.stride, self.offset).clone()


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: Any) -> None:
        super().__init__(file, encoding="latin-1")
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return dict
        if module == "torch._utils" and name.startswith("_rebuild_tensor"):
            return _Record
        if module == "torch._utils" and name.startswith("_rebuild_parameter"):
            return lambda data, *rest: data
        return type(name, (_Inert,), {})

    def persistent_load(self, pid: Any) -> Any:
        if pid[0] != "storage":  # a class with its source code, of older files
            return pid[1]
        return self.storages.setdefault(str(pid[2]), _Storage(pid[1].__name__, pid[4]))


def read_network(path: Path) -> dict[str, Tensor]:
    """The named tensors of a pickled network, none where the file holds none; a damaged one raises any exception."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            (name,) = [name for name in archive.namelist() if name.endswith("/data.pkl")]
            reader = _Unpickler(io.BytesIO(archive.read(name)))
            content = reader.load()
            for key, storage in reader.storages.items():
                storage.fill(archive.read(f"{name.removesuffix('data.pkl')}data/{key}"))
    else:
        with path.open("rb") as file:
            if _Unpickler(file).load() != _MAGIC:
                raise ValueError("no file of torch")
            _Unpickler(file).load(), _Unpickler(file).load()  # the protocol, the machine
            reader = _Unpickler(file)
            content = reader.load()
            for key in _Unpickler(file).load():
                storage = reader.storages[str(key)]
                size = int.from_bytes(file.read(8), "little") * storage.dtype.itemsize
                storage.fill(file.read(size) if size <= _LARGEST else b"")
    return {name: record.tensor() for name, record in _tensors(content, "")}


def _tensors(module: Any, prefix: str) -> Iterator[tuple[str, _Record]]:
    """Parameters and buffers of a module of torch.nn and of those in it."""
    parts: Mapping[str, Any] = getattr(module, "__dict__", {})
    for kind in ("_parameters", "_buffers"):
        for name, value in (parts.get(kind) or {}).items():
            if isinstance(value, _Record):
                yield f"{prefix}{name}", value
    for name, inner in (parts.get("_modules") or {}).items():
        yield from _tensors(inner, f"{prefix}{name}.")
