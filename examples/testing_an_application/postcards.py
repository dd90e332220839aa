"""A small application: postcards of towns. Its tests are in test_postcards.py.

With a key:     MODELSLAB_API_KEY=... python postcards.py Lisbon Bergen
Without cost:   pony simulator --port 8010     # in another terminal
                export MODELSLAB_BASE_URL=http://127.0.0.1:8010/api/v6/images MODELSLAB_API_KEY=any
                python postcards.py Lisbon Bergen
"""

import asyncio
import sys
from pathlib import Path

from modelslab_pony import AsyncPonyClient, GenerationFailed, PonyClient, TextToImage


def request_for(town: str) -> TextToImage:
    """Return what is asked for: a picture that is wider than high."""
    return TextToImage(f"a postcard of {town}, watercolour", width=1536, height=1024, seed=1900)


def postcard(pony: PonyClient, town: str, folder: Path, patience: float = 60) -> Path:
    """Make a postcard, in at most `patience` seconds, and return its file. Whatever goes wrong, `unfinished` mends."""
    job = pony.submit(request_for(town))
    note = folder / f"{town}.job"
    note.write_text(str(job.id), "utf-8")  # from here on it is paid for
    path = job.wait(timeout=patience).images[0].save(folder / f"{town}.png")
    note.unlink()
    return path


def unfinished(pony: PonyClient, folder: Path) -> list[Path]:
    """Fetch the postcards that are paid for and not there."""
    fetched = []
    for note in sorted(folder.glob("*.job")):
        try:
            generation = pony.job(note.read_text("utf-8")).wait()
            fetched.append(generation.images[0].save(note.with_suffix(".png"), overwrite=True))
        except GenerationFailed as error:
            print(error, file=sys.stderr)  # the service gave it up: there is nothing to fetch
        note.unlink()
    return fetched


async def series(pony: AsyncPonyClient, towns: list[str], folder: Path) -> dict[str, Path | BaseException]:
    """Make several at once. What goes wrong with one stands in its place, and the others are made."""

    async def one(town: str) -> Path:
        generation = await pony.generate(request_for(town))
        return await generation.images[0].save(folder / f"{town}.png")

    made = await asyncio.gather(*(one(town) for town in towns), return_exceptions=True)
    return dict(zip(towns, made, strict=True))


def main(towns: list[str]) -> None:
    """Make postcards, with a client of its own."""
    with PonyClient() as pony:
        for path in [*unfinished(pony, Path()), *(postcard(pony, town, Path()) for town in towns)]:
            print(path)


if __name__ == "__main__":
    main(sys.argv[1:])
