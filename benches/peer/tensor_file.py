"""Reading and writing safetensors files with NumPy alone.

The format: the header's length as a little-endian u64, the header as JSON (name -> dtype, shape, byte offsets), then the bytes.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

DTYPES: dict[str, type[np.generic]] = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "I64": np.int64,
    "I32": np.int32,
    "U8": np.uint8,
}


@dataclass(frozen=True)
class TensorFile:
    """Tensors of a file by name, floating-point ones as f32, and its metadata."""

    tensors: dict[str, torch.Tensor]
    metadata: dict[str, str]

    def with_prefix(self, prefix: str) -> dict[str, torch.Tensor]:
        """Tensors whose names start with `prefix`, without it."""
        return {name.removeprefix(prefix): t for name, t in self.tensors.items() if name.startswith(prefix)}


def read(path: Path) -> TensorFile:
    """Read every tensor of the safetensors file `path`."""
    content = path.read_bytes()
    (header_length,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8 : 8 + header_length])
    metadata = header.pop("__metadata__", {})
    data = memoryview(content)[8 + header_length :]
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        values = np.frombuffer(data[begin:end], dtype=DTYPES[entry["dtype"]]).reshape(entry["shape"])
        if np.issubdtype(values.dtype, np.floating):
            values = values.astype(np.float32)
        tensors[name] = torch.from_numpy(values.copy())
    return TensorFile(tensors, metadata)


def write(path: Path, tensors: dict[str, np.ndarray], metadata: dict[str, str] | None = None) -> None:
    """Write `tensors` as f32 to the safetensors file `path`, whole or not at all."""
    header: dict[str, object] = {"__metadata__": metadata} if metadata else {}
    offset = 0
    for name, values in tensors.items():
        end = offset + 4 * values.size
        header[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": [offset, end]}
        offset = end
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        file.write(struct.pack("<Q", len(encoded)))
        file.write(encoded)
        for values in tensors.values():
            file.write(np.ascontiguousarray(values, dtype="<f4").tobytes())
    partial.replace(path)
