"""One image, saved; and what each kind of error means for money.

With a key:     MODELSLAB_API_KEY=... python examples/quickstart.py "a lighthouse at dusk" pictures
Without cost:   pony simulator --port 8010     # in another terminal
                export MODELSLAB_BASE_URL=http://127.0.0.1:8010/api/v6/images MODELSLAB_API_KEY=any
                python examples/quickstart.py
"""

import sys
from pathlib import Path

from modelslab_pony import (
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    DownloadError,
    GenerationFailed,
    InsufficientCreditsError,
    InvalidRequestError,
    JobTimeout,
    PonyClient,
    PonyError,
    RateLimitError,
    SubmissionUnknown,
)


def what_to_do(error: PonyError) -> str:
    """Say what comes next. The order counts: the first may be an `APIError`, too."""
    match error:
        case SubmissionUnknown():
            said = "It may have been accepted and billed: look at your account's history before you send it again."
        case GenerationFailed():
            said = "The service gave this job up. Another try is another job."
        case JobTimeout(job_id=job):
            said = f"It is still being made. Nothing is lost: pony fetch {job}"
        case PonyError(job_id=int() | str() as job):  # the download failed, or the service could not be asked
            said = f"It is paid for. Do not send it again: pony fetch {job}"
        case DownloadError(url=url):  # a success that came without an id
            said = f"It is paid for. Do not send it again; soon, the picture may be had at {url}"
        case InsufficientCreditsError():
            said = "The account is empty. Nothing was accepted."
        case AuthenticationError() | ConfigurationError():
            said = "Look at MODELSLAB_API_KEY and MODELSLAB_BASE_URL. Nothing was accepted."
        case RateLimitError(retry_after=wait):
            said = f"Too much at once. Send it again in {wait or 60:.0f} s."
        case InvalidRequestError() | BadRequestError():
            said = "Correct the request. Nothing was accepted."
        case _:  # no connection, a plan without this model ...
            said = "Nothing was accepted: it can be sent again."
    return said


def main(prompt: str = "a lighthouse at dusk", folder: str = "pictures") -> int:
    """Make one image. Returns the exit code."""
    Path(folder).mkdir(parents=True, exist_ok=True)  # before anything is paid
    try:
        with PonyClient() as pony:
            generation = pony.text2img(prompt, sampler="DPM++ 2M Karras", seed=7, wait_timeout=300)
            for image in generation.images:
                print(image.save(folder))
    except PonyError as error:
        print(f"{type(error).__name__}: {error}\n{what_to_do(error)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
