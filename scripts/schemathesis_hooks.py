"""What Schemathesis cannot know of our spec: which texts are images in base64."""

from __future__ import annotations

import base64
import io

import schemathesis
from hypothesis import strategies as st
from PIL import Image


def _image(kind: str) -> str:
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, kind)
    return base64.b64encode(file.getvalue()).decode()


schemathesis.openapi.format(
    "base64-image",
    st.sampled_from([f"data:image/{kind.lower()};base64,{_image(kind)}" for kind in ("PNG", "JPEG", "WEBP", "GIF")]),
)
