"""A picture for a prompt: the same prompt, seed and size always give the same one."""

from __future__ import annotations

import io
import math
import random
import textwrap
import unicodedata

from PIL import Image, ImageDraw, ImageFont

from modelslab_pony.testing._jobs import SimulatedJob

Colour = tuple[int, int, int]


def picture(job: SimulatedJob, index: int) -> bytes:
    """Return an image of a job, a PNG."""
    if job.nsfw:
        return _file(Image.new("RGB", job.size))  # black, as the checker of Stable Diffusion has it
    painted = render(job.prompt, job.seed + index, *job.size)
    if "init_image" not in job.given:
        return painted
    return painted_over(job.given["init_image"], painted, job.given.get("mask_image"), job.field("strength"))


def render(prompt: str, seed: int, width: int, height: int) -> bytes:
    """Return a PNG of width x height pixels: a sky, hills, and the prompt's words."""
    prompt = prompt.encode("utf-8", "replace").decode()  # a lone surrogate has no picture
    chance = random.Random(f"{seed % 2**64} {prompt}")  # noqa: S311 - a picture, not a secret
    hue = chance.random()
    sky = _sky(_colour(hue, 0.55, 0.35), _colour(hue + 0.12, 0.5, 0.95), width, height)
    draw = ImageDraw.Draw(sky)
    _sun(draw, chance, _colour(hue + 0.5, 0.25, 1.0), width, height)
    for depth in range(4):
        _hill(draw, chance, _colour(hue + 0.05 * depth, 0.6, 0.55 - 0.12 * depth), 0.55 + 0.11 * depth, width, height)
    _caption(draw, prompt, width, height)
    return _file(sky)


def painted_over(first: bytes, painted: bytes, mask: bytes | None, strength: float) -> bytes:
    """Return the first picture with the painted one over it: everywhere, or where the mask is white."""
    with Image.open(io.BytesIO(painted)) as opened:
        top = opened.convert("RGB")
    under = _read(first, "RGB", top.size)
    blended = Image.blend(under, top, min(max(strength, 0.0), 1.0))
    if mask is not None:
        blended = Image.composite(blended, under, _read(mask, "L", top.size))
    return _file(blended)


def _file(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()


def _read(content: bytes, mode: str, size: tuple[int, int]) -> Image.Image:
    try:
        with Image.open(io.BytesIO(content)) as picture:
            return picture.convert(mode).resize(size)
    except (
        OSError,
        ValueError,
        Image.DecompressionBombError,
    ):  # it begins as an image and is none; the service would fail somehow, too
        return Image.new(mode, size)


def _colour(hue: float, saturation: float, value: float) -> Colour:
    """Return red, green, blue (0 to 255) for a hue in turns, a saturation and a value (0 to 1)."""

    def channel(offset: float) -> int:
        position = (offset + hue * 6) % 6
        return round(255 * (value - value * saturation * max(0.0, min(position, 4 - position, 1.0))))

    return channel(5), channel(3), channel(1)


def _sky(top: Colour, bottom: Colour, width: int, height: int) -> Image.Image:
    mask = Image.linear_gradient("L").resize((width, height))
    return Image.composite(Image.new("RGB", (width, height), bottom), Image.new("RGB", (width, height), top), mask)


def _sun(draw: ImageDraw.ImageDraw, chance: random.Random, colour: Colour, width: int, height: int) -> None:
    radius = height * (0.06 + 0.06 * chance.random())
    x, y = width * (0.2 + 0.6 * chance.random()), height * (0.2 + 0.2 * chance.random())
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


def _hill(
    draw: ImageDraw.ImageDraw, chance: random.Random, colour: Colour, level: float, width: int, height: int
) -> None:
    waves = [(chance.uniform(1, 5), chance.uniform(0, math.tau), chance.uniform(0.01, 0.05)) for _ in range(3)]
    ridge = [
        (
            x,
            height
            * (level - sum(size * math.sin(x / width * rate * math.tau / 2 + turn) for rate, turn, size in waves)),
        )
        for x in range(0, width + 8, 8)
    ]
    draw.polygon([(0, height), *ridge, (width, height)], fill=colour)


def _caption(draw: ImageDraw.ImageDraw, prompt: str, width: int, height: int) -> None:
    size = max(12, width // 28)
    # The built-in font has plain Latin alone: accents are left out, and other scripts become boxes.
    plain = "".join(sign for sign in unicodedata.normalize("NFKD", prompt) if not unicodedata.combining(sign))
    font = ImageFont.load_default(size)
    lines = textwrap.wrap(plain, max(8, int(width / (size * 0.55))), max_lines=4, placeholder=" …")
    top = height - size * (1.3 * len(lines) + 0.8)
    for number, line in enumerate(lines):
        draw.text((size, top + number * size * 1.3), line, fill=(255, 255, 255), font=font)
