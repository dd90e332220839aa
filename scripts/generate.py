"""Remake generated/ from openapi.json and the overlay; with --check, compare instead.

make generate         writes generated/
make check-generated  remakes it in a temporary folder and fails on any difference
"""

from __future__ import annotations

import argparse
import filecmp
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import raw_check
import swap
from overlay import effective_spec
from raw_check import PACKAGE
from spec import SpecError

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ROOT / "openapi.json"
OVERLAY = ROOT / "openapi.overlay.yaml"
SETTINGS = Path(__file__).with_name("openapi-python-client.yaml")
TOOLS = ("openapi-python-client", "oas-patch", "ruff")

README = """\
# Generated: do not edit

`make generate` remakes this folder from `openapi.json` and `openapi.overlay.yaml`;
`make check-generated` fails when it differs from what they give.
To change it, change the overlay, with a reason and a source beside each action.
`make regenerate SPEC=…` takes another spec, with all that follows from it.

| made by | version |
|---|---|
{tools}

| spec | from | SHA-256 |
|---|---|---|
| `openapi.json` (shipped) | {source} | `{shipped}` |
| `generated/openapi.json` (effective) | the shipped spec and the overlay | `{effective}` |
"""
_SOURCE = re.compile(r"^\| `openapi\.json` \(shipped\) \| (.*) \| `[0-9a-f]+` \|$", re.MULTILINE)


def main() -> int:
    """Generate, then write or compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if generated/ differs")
    parser.add_argument("--shipped", type=Path, default=SHIPPED, help="the shipped spec (JSON)")
    parser.add_argument("--overlay", type=Path, default=OVERLAY, help="the overlay (YAML)")
    parser.add_argument("--target", type=Path, default=ROOT / "generated", help="the folder to write or compare")
    options = parser.parse_args()
    target = options.target.resolve()
    with tempfile.TemporaryDirectory(prefix="generated-") as temporary:
        made = Path(temporary) / "generated"
        try:
            with swap.alone(target.parent):
                swap.finish(target.parent)
                generate(options.shipped, options.overlay, made, source_of(target))
                if not options.check:
                    swap.put(target.parent, {target.name: made})
                    print(f"{target.name}/ remade")
                    return 0
        except (SpecError, OSError) as error:
            print(f"error: {error}\nnothing was changed", file=sys.stderr)
            return 1
        found = differences(made, target)
    if found:
        print(f"{target.name}/ differs from what the spec and the overlay give:", file=sys.stderr)
        print(*found, sep="\n", file=sys.stderr)
        print("run `make generate` and commit the result", file=sys.stderr)
        return 1
    print(f"{target.name}/ is what the spec and the overlay give")
    return 0


def generate(shipped: Path, overlay: Path, target: Path, source: str) -> None:
    """Write the effective spec, the raw client and the README into a new folder."""
    spec = effective_spec(shipped, overlay)
    target.mkdir()
    effective = target / "openapi.json"
    effective.write_text(json.dumps(spec, indent=2, ensure_ascii=False) + "\n", "utf-8")
    run_generator(effective, target / PACKAGE)
    raw_check.check(spec, target)
    (target / "README.md").write_text(
        README.format(
            tools="\n".join(f"| {tool} | {version(tool)} |" for tool in TOOLS),
            source=source,
            shipped=hashlib.sha256(shipped.read_bytes()).hexdigest(),
            effective=hashlib.sha256(effective.read_bytes()).hexdigest(),
        ),
        "utf-8",
    )


def recorded(source: str) -> str:
    """Return a source as the README names it: an odd letter could end its cell."""
    return f"`{re.sub(r'[^ -~]|[`|]', '?', source)}`"


def source_of(generated: Path) -> str:
    """Return where the shipped spec was taken from, as the README of the folder records it."""
    readme = generated / "README.md"
    found = _SOURCE.search(readme.read_text("utf-8")) if readme.is_file() else None
    return found[1] if found else "not recorded"


def run_generator(spec: Path, package: Path) -> None:
    """Run openapi-python-client with warnings as failures and ruff within its reach."""
    tools = Path(sys.executable).parent
    for tool in ("openapi-python-client", "ruff"):
        # Without ruff on PATH the generator skips its clean-up with only a warning.
        if not shutil.which(tool, path=tools):
            raise SpecError(f"{tool} is not installed beside {sys.executable}: run `make setup`")
    command: list[str | Path] = [tools / "openapi-python-client", "generate", "--fail-on-warning", "--meta", "none"]
    command += ["--path", spec, "--output-path", package, "--config", SETTINGS]
    environment = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ.get('PATH', '')}"}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if result.returncode or not package.is_dir():
        raise SpecError(f"openapi-python-client failed:\n{result.stdout}{result.stderr}".rstrip())


def differences(made: Path, present: Path) -> list[str]:
    """List what differs between two folders: changed, missing and extra files."""
    ours, theirs = _files(made), _files(present)
    return sorted(
        [f"  missing  {name}" for name in ours - theirs]
        + [f"  extra    {name}" for name in theirs - ours]
        + [
            f"  changed  {name}"
            for name in ours & theirs
            if not filecmp.cmp(made / name, present / name, shallow=False)
        ]
    )


def _files(folder: Path) -> set[str]:
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in found if "__pycache__" not in path.parts}


if __name__ == "__main__":
    sys.exit(main())
