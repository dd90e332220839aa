"""Many prompts at once; each image is saved as soon as it is done, and one failure costs none of the others.

With a key:     MODELSLAB_API_KEY=... python examples/async_gather.py "a lighthouse" "a harbour" ...
Without cost:   pony simulator --port 8010     # in another terminal
                export MODELSLAB_BASE_URL=http://127.0.0.1:8010/api/v6/images MODELSLAB_API_KEY=any
                python examples/async_gather.py

The exit code is 1 if a prompt has no image. For thousands of prompts see `pony batch`.
"""

import asyncio
import sys
from pathlib import Path

from modelslab_pony import (
    AsyncPonyClient,
    DownloadError,
    GenerationFailed,
    PonyError,
    SubmissionUnknown,
    TextToImage,
)

FOLDER = Path("pictures")
QUEUED = 5
"""Jobs that may be under way: 5, 10 or 15, by your plan (vendor docs, rate limits page)."""
PROMPTS = [f"a lighthouse in month {month}" for month in range(1, 9)]
UNKNOWN = "may have been accepted: look at your account's history first"


def stands(error: PonyError) -> str:
    """Say what an error means for money. The order counts."""
    match error:
        case SubmissionUnknown():
            return UNKNOWN
        case GenerationFailed():
            return "the service gave it up: another try is another job"
        case PonyError(job_id=int() | str() as job):
            return f"paid for, and nothing is lost: pony fetch {job}"
        case DownloadError(url=url):  # a success that came without an id
            return f"paid for, and without an id: soon, the picture may be had at {url}"
        case _:
            return "not accepted"


async def make(pony: AsyncPonyClient, prompt: str, places: asyncio.Semaphore) -> bool:
    """Make and save one prompt's image; return whether that went well. No `PonyError` leaves it."""
    if_cancelled = "not sent"
    try:
        async with places:
            if_cancelled = UNKNOWN
            job = await pony.submit(TextToImage(prompt))
            if_cancelled = f"paid for, and nothing is lost: pony fetch {job.id}"
            if job.id is None:
                if_cancelled = "paid for, and without an id: look at your account's history"
            print(f"job {job.id}: {prompt}", flush=True)  # from here on it is paid for, whatever ends this program
            generation = await job.wait(timeout=600)
        for image in generation.images:
            print(f"job {job.id}: {await image.save(FOLDER)}", flush=True)
    except PonyError as error:
        print(f"{prompt}: {type(error).__name__}: {error}\n  {stands(error)}", file=sys.stderr)
        return False
    except asyncio.CancelledError:  # Ctrl-C, which takes no job back
        print(f"{prompt}: {if_cancelled}", file=sys.stderr)
        raise
    return True


async def main(prompts: list[str]) -> int:
    """Make them all. Returns the exit code."""
    places = asyncio.Semaphore(QUEUED)
    async with AsyncPonyClient() as pony, asyncio.TaskGroup() as group:
        tasks = [group.create_task(make(pony, prompt, places)) for prompt in prompts]
    made = sum(task.result() for task in tasks)
    print(f"{made} of {len(tasks)}")
    return 0 if made == len(tasks) else 1


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)  # before anything is paid
    sys.exit(asyncio.run(main(sys.argv[1:] or PROMPTS)))
