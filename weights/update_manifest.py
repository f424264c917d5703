#!/usr/bin/env python3
"""Fills sha256 and bytes of every entry of manifest.toml from the files; fails on files without an entry and entries without a file."""

import hashlib
import pathlib
import re
import sys

FOLDER = pathlib.Path(__file__).resolve().parent
MANIFEST = FOLDER / "manifest.toml"
# Text that describes the data is not data.
NOT_LISTED = {".md", ".py", ".toml", ".mjs", ".js", ".json"}
# Folders that are not under version control: what npm installs, and the training images that zoo/render draws.
NOT_KEPT = ("zoo/render/node_modules/", "zoo/data/")


def main():
    listed = set()

    def refresh(entry):
        path = re.search(r'^path = "(.*)"$', entry[0], re.MULTILINE)[1]
        if not (FOLDER / path).is_file():
            sys.exit(f"{path} is in the manifest, but there is no such file")
        listed.add(path)
        data = (FOLDER / path).read_bytes()
        text = re.sub(r"^sha256 = .*$", f'sha256 = "{hashlib.sha256(data).hexdigest()}"', entry[0], flags=re.MULTILINE)
        return re.sub(r"^bytes = .*$", f"bytes = {len(data)}", text, flags=re.MULTILINE)

    text = MANIFEST.read_text()
    MANIFEST.write_text(re.sub(r"^\[\[file\]\]\n(?:\w+ = .*\n?)+", refresh, text, flags=re.MULTILINE))

    files = (path for path in FOLDER.rglob("*") if path.is_file() and path.suffix not in NOT_LISTED and not path.name.endswith(".regression.safetensors"))
    names = {path.relative_to(FOLDER).as_posix() for path in files if not path.name.startswith("LICENSE.")}
    if missing := sorted(name for name in names - listed if not name.startswith(NOT_KEPT)):
        sys.exit("no entry in the manifest: " + ", ".join(missing))


if __name__ == "__main__":
    main()
