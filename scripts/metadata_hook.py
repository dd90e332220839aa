"""What the package's page shows that no file can state: links, which need the address of the repository.

The build reads this file (`[tool.hatch.metadata.hooks.custom]`). The address is `SOURCE_URL` of the environment, as
https://host/owner/name: the release workflow sets it to the repository that it runs in. The page then links to the
files of that version, as tagged. Without it nothing is invented: what the README says of its neighbours stays as text.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import (  # type: ignore[import-not-found]  # only builds have it
    MetadataHookInterface,
)

SERVICE = "https://docs.modelslab.com"
_VERSION = re.compile(r'^__version__ = "([^"]+)"$', re.MULTILINE)
_FENCE = re.compile(r"^(```.*?^```$)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?P<picture>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")
_IMAGE = re.compile(r'<img [^>]*?src="(?P<target>[^"]+)"[^>]*>\n?')
_ADDRESS = re.compile(r"https?://|mailto:")


class Page(MetadataHookInterface):  # type: ignore[misc]  # its base is not known where there is no hatchling
    """Completes the metadata with the README and the links."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Fill in what is dynamic; what an sdist brings along is as its own build had it, and stays."""
        source = source_url(os.environ.get("SOURCE_URL", ""))
        root = Path(self.root)
        (version,) = _VERSION.findall((root / "wrapper/modelslab_pony/_version.py").read_text("utf-8"))
        metadata.setdefault("urls", urls(source, version))
        if "readme" not in metadata:
            text = absolute((root / "README.md").read_text("utf-8"), source, version)
            metadata["readme"] = {"content-type": "text/markdown", "text": text}


def source_url(given: str) -> str:
    """Return the repository's address, or "" for none. Raises `ValueError` for what is no address."""
    if given and not re.fullmatch(r"https://[\w.-]+(/[\w.-]+){2,}", given):
        raise ValueError(f"SOURCE_URL must look like https://host/owner/name, not {given!r}")
    return given


def urls(source: str, version: str) -> dict[str, str]:
    """Return the links beside the page."""
    known = {"ModelsLab API": SERVICE}
    if not source:
        return known
    return {
        "Source": source,
        "Changelog": f"{source}/blob/v{version}/CHANGELOG.md",
        "Issues": f"{source}/issues",
    } | known


def absolute(text: str, source: str, version: str) -> str:
    """Return a README in which no link or picture is relative: the page has no neighbours."""

    def placed(found: re.Match[str]) -> str:
        picture, said, target = found["picture"], found["text"], found["target"]
        if _ADDRESS.match(target):
            return found[0]
        if not source:
            return said
        if target.startswith("#"):
            target = f"README.md{target}"
        return f"{picture}[{said}]({source}/{'raw' if picture else 'blob'}/v{version}/{target})"

    def shown(found: re.Match[str]) -> str:
        target = found["target"]
        if _ADDRESS.match(target):
            return found[0]
        return found[0].replace(target, f"{source}/raw/v{version}/{target}") if source else ""

    text = _IMAGE.sub(shown, text)
    parts = _FENCE.split(text)  # code stays as it is
    return "".join(part if part.startswith("```") else _LINK.sub(placed, part) for part in parts)
