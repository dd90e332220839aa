"""How pictures look in a notebook: plain HTML that needs no network where the picture is at hand."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from html import escape

from modelslab_pony._formats import MEDIA_TYPES, image_suffix

MOST_PIXELS = 512
"""Width and height of a preview."""
_FIGURE = "display:inline-block;margin:4px;max-width:{most}px;vertical-align:top;font:13px sans-serif"


def figure(source: str, url: str, caption: str, problem: str = "") -> str:
    """Return a picture above its caption; it leads to where the service put it."""
    picture = f'<img src="{escape(source)}" alt="{escape(caption)}" style="max-width:100%">' if source else "picture"
    said = f"<br><em>{escape(problem)}</em>" if problem else ""
    link = f'<a href="{escape(url)}" target="_blank" rel="noopener noreferrer">{picture}</a>'
    style = _FIGURE.format(most=MOST_PIXELS)
    return f'<figure style="{style}">{link}<figcaption>{escape(caption)}{said}</figcaption></figure>'


def row(figures: Iterable[str]) -> str:
    """Return several pictures side by side."""
    return f"<div>{''.join(figures)}</div>"


def inline(content: bytes) -> str:
    """Return a file as a URL that holds the file itself."""
    kind = MEDIA_TYPES.get(image_suffix(content) or "", "application/octet-stream")
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
