"""One image that survives a crash at any moment: nothing is paid twice, nothing that was paid for is lost.

With a key:     MODELSLAB_API_KEY=... python examples/resume_after_crash.py lighthouse "a lighthouse at dusk"
Without cost:   pony simulator --port 8010 --eta 20     # in another terminal
                export MODELSLAB_BASE_URL=http://127.0.0.1:8010/api/v6/images MODELSLAB_API_KEY=any
                python examples/resume_after_crash.py lighthouse

Kill it and run it again. What it knows is in `lighthouse/job.json`, on the disk before the next step is taken: first
that a request is about to be sent, then the job's id. Exit codes: 0 done, 1 an error (run it again), 13 unknown.
"""

import json
import os
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from modelslab_pony import GenerationFailed, Job, PonyClient, PonyError, SubmissionUnknown, TextToImage


def write(path: Path, record: dict[str, Any], *, new: bool = False) -> None:
    """Write a record whole, and onto the disk. Raises `FileExistsError` if it should be `new` and is not."""
    draft = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    try:
        with draft.open("x", encoding="utf-8") as file:
            json.dump(record, file)
            file.flush()
            os.fsync(file.fileno())
        if new:
            os.link(draft, path)  # of two processes that begin at once, one fails here
        else:
            draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    if os.name == "posix":  # the names in a folder are on the disk when the folder is
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)


def read(path: Path) -> dict[str, Any]:
    """Return what is known."""
    record: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return record


def submit(pony: PonyClient, prompt: str, path: Path) -> Job:
    """Send the request, with its intent on the disk before and its id after."""
    request = TextToImage(prompt, track_id=str(uuid.uuid4()))  # a webhook would name it
    intent = {"prompt": prompt, "track_id": request.track_id, "sent": datetime.now(UTC).isoformat()}
    write(path, intent, new=True)
    try:
        job = pony.submit(request)
    except PonyError as error:
        if error.job_id is not None:  # accepted, whatever came after it
            write(path, {**intent, "job_id": error.job_id})
        elif isinstance(error, GenerationFailed):  # another try is for you to decide
            write(path, {**intent, "failed": str(error)})
        elif not isinstance(error, SubmissionUnknown):  # the one error that leaves it open; all others: not accepted
            path.unlink()
        raise
    if job.id is not None:
        write(path, {**intent, "job_id": job.id})
    else:  # it is made already, and its address is all that is known
        write(path, {**intent, "urls": [image.url for image in job.wait().images]})
    return job


def taken_up(pony: PonyClient, known: dict[str, Any]) -> Job:
    """Return the job of an earlier run. Raises `SubmissionUnknown` if that knew of none, `GenerationFailed`."""
    if "failed" in known:
        raise GenerationFailed(known["failed"])
    if "job_id" not in known:
        answer = f"it was made: {known['urls']}" if "urls" in known else "no answer is known"
        raise SubmissionUnknown(f"{known['prompt']!r} was being sent at {known['sent']}; {answer}")
    return pony.job(known["job_id"])


def main(folder: str = "lighthouse", prompt: str = "a lighthouse at dusk") -> int:
    """Make the image, or go on where an earlier run ended. Returns the exit code."""
    path = Path(folder) / "job.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    known = read(path) if path.exists() else {}
    try:
        if "files" not in known:
            with PonyClient() as pony:
                job = taken_up(pony, known) if known else submit(pony, prompt, path)
                print(f"job {job.id}", flush=True)
                images = job.wait(timeout=600).images
                files = [str(image.save(path.parent / f"{image.index}.png", overwrite=True)) for image in images]
            known = {**read(path), "job_id": job.id, "files": files}
            write(path, known)
    except SubmissionUnknown as error:
        print(f"Unknown: {error}\nNothing is sent again by itself. Look at your account's history.", file=sys.stderr)
        print(f'If the job is there, add its id to {path} as "job_id".', file=sys.stderr)
        print("If it is not, and if no other run is at it, delete that file.", file=sys.stderr)
        return 13
    except GenerationFailed as error:
        print(f"{error}\nDelete {path} for another try, which is another job.", file=sys.stderr)
        return 1
    except (PonyError, FileExistsError) as error:
        print(f"{type(error).__name__}: {error}\nRun it again.", file=sys.stderr)
        return 1
    print(*known["files"], sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
