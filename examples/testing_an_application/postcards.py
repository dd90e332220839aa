"""A small application: postcards of towns. Its tests are in test_postcards.py.

With a key:     MODELSLAB_API_KEY=... python postcards.py Lisbon Bergen
Without cost:   pony simulator --port 8010     # in another terminal
                export MODELSLAB_BASE_URL=http://127.0.0.1:8010/api/v6/images MODELSLAB_API_KEY=any
                python postcards.py Lisbon Bergen
"""

import asyncio
import sys
from pathlib import Path

from modelslab_pony import AsyncPonyClient, GenerationFailed, PonyClient, PonyError, TextToImage


def request_for(town: str) -> TextToImage:
    """Return what is asked for: a picture that is wider than high."""
    return TextToImage(f"a postcard of {town}, watercolour", width=1536, height=1024, seed=1900)


def postcard(pony: PonyClient, town: str, folder: Path, patience: float = 60) -> Path:
    """Make a postcard within `patience` seconds; return its file. What has a job, `unfinished` fetches later."""
    note = folder / f"{town}.job"
    try:
        job = pony.submit(request_for(town))
    except PonyError as error:
        if error.job_id is not None:  # accepted, whatever came after it
            note.write_text(str(error.job_id), "utf-8")
        raise
    if job.id is not None:  # without one it is made already, and can never be asked about
        note.write_text(str(job.id), "utf-8")  # from here on it is paid for
    path = job.wait(timeout=patience).images[0].save(folder / f"{town}.png")
    note.unlink(missing_ok=True)
    return path


def unfinished(pony: PonyClient, folder: Path, patience: float = 60) -> list[Path]:
    """Fetch the postcards that are paid for and not there. What cannot be had now is left for the next time."""
    fetched = []
    for note in sorted(folder.glob("*.job")):
        try:
            generation = pony.job(note.read_text("utf-8")).wait(timeout=patience)
            fetched.append(generation.images[0].save(note.with_suffix(".png"), overwrite=True))
        except GenerationFailed as error:
            print(f"{note.stem}: {error}", file=sys.stderr)  # the service gave it up: there is nothing to fetch
        except PonyError as error:
            print(f"{note.stem} is paid for and not there yet ({note}): {error}", file=sys.stderr)
            continue
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
    """Make the postcards that are neither there nor paid for, with a client of its own."""
    with PonyClient() as pony:
        for path in unfinished(pony, Path()):
            print(path)
        for town in towns:
            if not Path(f"{town}.job").exists() and not Path(f"{town}.png").exists():
                print(postcard(pony, town, Path()))


if __name__ == "__main__":
    main(sys.argv[1:])
