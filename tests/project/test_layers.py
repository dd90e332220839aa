"""Who imports whom: the layers of ARCHITECTURE.md, read off the source."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import modelslab_pony
from prism_image import ROOT

PACKAGE = ROOT / "wrapper" / "modelslab_pony"

# From the bottom up; a module imports from its own layer and those below it.
LAYERS = [
    {
        "_version",
        "errors",
        "policies",
        "samplers",
        "_snapshot",
        "_steps",
        "_redact",
        "_private",
        "_rules",
        "_shapes",
        "_exif",
    },
    {"_raw"},
    {
        "requests",
        "_formats",
        "_wire",
        "_classify",
        "_account",
        "_experience",
        "_schedule",
        "_files",
        "_encodings",
        "_aiohttp_faults",
        "_webhook",
    },
    {"_embed", "_parameters", "recipes", "_notebook", "_asks", "_upload", "_download", "_flow"},
    {
        *("_addresses", "_settings", "_uploads", "_pillow", "_pictures", "_disk", "_watch", "_http", "results", "_job"),
        *("_aiohttp", "_pool", "_connections"),
    },
    {"_calls", "_async_calls"},
    {"client", "async_client"},
    {"testing", "batch", "cli", "webhooks"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
DECIDES = [name for names in LAYERS[:4] for name in sorted(names)]
ACTS = {"httpx", "time", "asyncio", "threading", "socket", "subprocess", "tempfile", "random", "secrets", "io", "os"}


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (module, name) for each import outside `if TYPE_CHECKING`."""
    tree = ast.parse(path.read_text("utf-8"))
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)


def modules() -> list[Path]:
    return [path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"]


def top(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def ours(module: str, name: str) -> str | None:
    """Return the part of our package that an import names."""
    if module == "modelslab_pony":
        return name
    return module.split(".")[1] if module.startswith("modelslab_pony.") else None


def test_every_module_has_a_layer() -> None:
    """A new module has to be placed."""
    assert {top(path) for path in modules()} == set(LEVEL)


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_point_downwards(path: Path) -> None:
    """Nothing below knows of anything above."""
    for module, name in imports(path):
        part = ours(module, name)
        if part is not None:
            assert LEVEL[part] <= LEVEL[top(path)], f"{top(path)} imports {part}"


@pytest.mark.parametrize("name", DECIDES)
def test_what_decides_neither_waits_nor_talks(name: str) -> None:
    """No clock, no chance, no socket, no file below the shells; a path's type is no file."""
    path = PACKAGE / f"{name}.py"
    for module, imported in imports(path):
        assert module.split(".")[0] not in ACTS or (module, imported) == ("os", "PathLike"), module
    called = {
        ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)
    }
    for call in called:
        assert not re.search(
            r"(^|\.)(open|read_text|read_bytes|write_text|write_bytes|unlink|mkdir|print|input)$", call
        )


def test_one_module_imports_the_raw_client() -> None:
    """Everything else speaks our words."""
    found = {top(path) for path in modules() for module, _ in imports(path) if module.startswith("modelslab_pony_raw")}
    assert found == {"_raw"}


def test_the_core_needs_httpx_and_attrs_alone() -> None:
    """And anyio, which httpx brings: it cancels in the one way that its connections survive; and those, of httpcore.

    What the extras bring is imported by batch, cli, testing, and modules that say so where it is missing.
    """
    allowed = {*sys.stdlib_module_names, "httpx", "attrs", "modelslab_pony", "modelslab_pony_raw"}
    for path in modules():
        if top(path) not in {"batch", "cli", "testing"}:
            found = {module.split(".")[0] for module, _ in imports(path)} - allowed
            beside = {
                "_pillow": {"PIL"},
                "webhooks": {"starlette"},
                "_async_calls": {"anyio"},
                "_pool": {"anyio", "httpcore"},
                "_aiohttp": {"aiohttp", "httpx_aiohttp", "yarl"},
                "_connections": {"httpx_aiohttp"},
            }
            assert found <= beside.get(top(path), set()), path


def test_importing_the_package_imports_nothing_else() -> None:
    """Names are looked up when they are asked for (PEP 562)."""
    program = "import sys, modelslab_pony; print(*sorted(n for n in sys.modules if n.partition('.')[0] in sys.argv))"
    command = [sys.executable, "-c", program, "httpx", "attrs", "attr", "modelslab_pony", "modelslab_pony_raw"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["modelslab_pony"]


def test_all_is_what_the_type_checker_sees() -> None:
    """Each exported name is imported for editors, and exists."""
    source = (PACKAGE / "__init__.py").read_text("utf-8")
    seen = set(re.findall(r" as (\w+)(?:,|$)", source, re.MULTILINE)) | {
        name for name in vars(modelslab_pony.errors) if name.endswith(("Error", "Unknown", "Failed", "Timeout"))
    } - {"TimeoutError"}
    assert set(modelslab_pony.__all__) == seen
    for name in modelslab_pony.__all__:
        assert getattr(modelslab_pony, name) is not None
    assert set(modelslab_pony.__all__) <= set(dir(modelslab_pony))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = modelslab_pony.nothing  # type: ignore[attr-defined]  # that is the point
