"""A small application: book covers. tests/test_contract.py holds what it sends to the service's spec.

With a key:     MODELSLAB_API_KEY=... python covers.py "The Old Lighthouse"
Without cost:   pony simulator --port 8010     # in another terminal
                export MODELSLAB_BASE_URL=http://127.0.0.1:8010/api/v6/images MODELSLAB_API_KEY=any
                python covers.py "The Old Lighthouse"
"""

import sys
from pathlib import Path

from modelslab_pony import PonyClient, TextToImage

FORMATS = {"paperback": (1024, 1536), "square": (1024, 1024), "poster": (1536, 2048)}
"""Width and height, in pixels."""


def request_for(title: str, form: str) -> TextToImage:
    """Return what is asked for."""
    width, height = FORMATS[form]
    return TextToImage(f"a book cover, {title}", width=width, height=height, sampler="DPM++ 2M Karras", clip_skip=2)


def cover(pony: PonyClient, title: str, form: str, folder: Path) -> Path:
    """Make a cover; return its file."""
    return pony.generate(request_for(title, form)).images[0].save(folder / f"{form}.png")


if __name__ == "__main__":
    with PonyClient() as client:
        for name in FORMATS:
            print(cover(client, sys.argv[1], name, Path()))
