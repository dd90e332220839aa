"""How the service says it: exactly as its spec has it, or as it was seen to answer.

Both say the same. What the observed one does differently stands in the captured replies that the
client is tested with (tests/replies/); which oddity an answer gets depends on the job's number, so
that a few jobs show all of them, and the same ones every time.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from modelslab_pony.testing._answers import Answer, nothing, say
from modelslab_pony.testing._jobs import CDN_PATH, SimulatedJob
from modelslab_pony.testing._schema import Problem
from modelslab_pony.testing._spec import BASE_PATH, body_schema, documented, types

Name = Literal["spec", "observed"]

TRY_LATER = "Try to fetch request after seconds estimated"


class Spec:
    """Answers of the shapes that the effective spec documents, and of no others."""

    def id(self, number: int, given: int) -> int | str:  # noqa: ARG002 - the other dialect's ids depend on the number
        """Return the id of a job."""
        return given

    def read(self, operation: str, body: Any) -> Any:  # noqa: ARG002 - the other dialect reads by the schema
        """Return a request as it is held to the schema."""
        return body

    # --- jobs ---------------------------------------------------------------------------------

    def processing(self, job: SimulatedJob, now: float, *, first: bool) -> Answer:
        """Answer for a job that waits or is worked on; `first` when it is being submitted."""
        begun = {
            "fetch_result": f"{job.origin}{BASE_PATH}/fetch/{job.id}",
            "future_links": job.image_urls(),
            "meta": job.meta(),
        }
        return say(
            {
                "status": "processing",
                "id": job.id,
                "eta": round(job.ready_at - now, 3),
                "message": TRY_LATER,
                "output": [],
                **(begun if first else {}),
            },
            job_id=job.id,
        )

    def success(self, job: SimulatedJob, *, first: bool) -> Answer:  # noqa: ARG002 - the other dialect says less later
        """Answer for a job that has its images."""
        return say(
            {
                "status": "success",
                "id": job.id,
                "generationTime": round(job.ready_at - job.started_at, 3),
                "output": job.image_urls(),
                "proxy_links": job.image_urls(CDN_PATH),
                "nsfw_content_detected": job.nsfw,
                "meta": job.meta(),
            },
            job_id=job.id,
        )

    def failed(self, job: SimulatedJob) -> Answer:
        """Answer for a job that has no images."""
        return say({"status": "failed", "id": "", "message": "Failed, Try Again", "output": ""}, job_id=job.id)

    def no_such_job(self) -> Answer:
        """Answer for an id that nobody knows."""
        return self.error(404, "Request not found")

    def not_ready(self, number: int, name: str) -> Answer:  # noqa: ARG002 - see the other dialect
        """Answer for an image that is not there yet."""
        return nothing(f"no image {name} yet")

    def image_type(self, place: str) -> str:  # noqa: ARG002 - see the other dialect
        """Return what a picture is called."""
        return "image/png"

    # --- refusals -------------------------------------------------------------------------------

    def error(self, status_code: int, message: Any, **more: Any) -> Answer:
        """Refuse a request."""
        return say({"status": "error", "message": message, **more}, status_code=status_code)

    def wrong_key(self) -> Answer:
        """Refuse a key."""
        return self.error(401, "Invalid API key")

    def bad_request(self, operation: str, problems: Sequence[Problem]) -> Answer:
        """Refuse a request that breaks the schema; where the spec knows no 400, only the key can be wrong."""
        if "400" not in documented(operation):
            return self.wrong_key()
        return self.error(400, "; ".join(problem.message for problem in problems))

    def unknown_model(self, model_id: str) -> Answer:
        """Refuse a model that nobody knows."""
        return self.error(404, f"Model not found: {model_id}")

    def no_credits(self) -> Answer:
        """Refuse an account without money."""
        return self.error(402, "Insufficient credits. Please add more credits to continue.")

    def bad_image(self, message: str) -> Answer:
        """Refuse an image."""
        return self.error(400, message)

    def too_many(self, message: str, wait: float) -> Answer:
        """Refuse for now; `wait` in seconds."""
        return self.error(429, message, retry_after=max(1, math.ceil(wait)))


class Observed(Spec):
    """Answers as the service was seen to give them: errors under 200, values of other types, words misspelt."""

    def id(self, number: int, given: int) -> int | str:
        """Return an integer; for every third job a text."""
        return f"{given:x}-{number}" if number % 3 == 0 else given

    def read(self, operation: str, body: Any) -> Any:
        """Take numerals in texts for numbers, and null for a field that was left out."""
        if not isinstance(body, dict):
            return body
        fields = body_schema(operation)["properties"]
        return {
            name: _number(value) if not {"integer", "number"}.isdisjoint(types(fields.get(name, {}))) else value
            for name, value in body.items()
            if value is not None
        }

    def processing(self, job: SimulatedJob, now: float, *, first: bool) -> Answer:
        """Misspell the message, vary the types, and point at another host."""
        eta = round(job.ready_at - now, 10)
        odd: list[dict[str, Any]] = [
            {"message": TRY_LATER, "eta": math.ceil(eta), "output": []},
            {"messege": TRY_LATER, "eta": eta, "output": "", "tip": ""},
            {
                "messege": TRY_LATER,
                "eta": str(math.ceil(eta)),
                "output": None,
                "tip": "hint",
                "tip_1": "use the fetch API",
            },
        ]
        begun = {
            "fetch_result": f"https://other-host.example/api/v3/fetch/{job.id}",
            "future_links": job.image_urls(),
            **({"meta": job.meta()} if job.number % 2 else {}),
        }
        return say(
            {"status": "processing", "id": job.id, **odd[job.number % 3], **(begun if first else {})}, job_id=job.id
        )

    def success(self, job: SimulatedJob, *, first: bool) -> Answer:
        """Say little when fetched; give the copies as a list, as nothing, or by number."""
        urls = job.image_urls(CDN_PATH)
        links: Any = [urls, None, {str(index): url for index, url in enumerate(urls)}][job.number % 3]
        told = {"generationTime": round(job.ready_at - job.started_at, 10), "meta": job.meta(), "webhook_status": ""}
        return say(
            {
                "status": "success",
                "id": job.id,
                "output": job.image_urls(),
                "proxy_links": links,
                **({"nsfw_content_detected": True} if job.nsfw else {}),
                **(told if first else {"tip": ""}),
            },
            job_id=job.id,
        )

    def no_such_job(self) -> Answer:
        """Say that it failed, under 200."""
        return say({"status": "failed", "id": "", "message": "Request not found", "output": "", "tip": "hint"})

    def not_ready(self, number: int, name: str) -> Answer:
        """Give bytes that are no image instead, every second time."""
        if number % 2:
            return nothing(f"no image {name} yet")
        page = b"<!doctype html><title>Please wait</title>"
        return Answer(content=page, content_type="text/html", said=f"no image {name} yet, but a page")

    def image_type(self, place: str) -> str:
        """Call it a text, where the copies are."""
        return "text/plain" if place == "proxy" else "image/png"

    def error(self, status_code: int, message: Any, **more: Any) -> Answer:  # noqa: ARG002 - that is the oddity
        """Refuse a request under 200."""
        return super().error(200, message, **more)

    def wrong_key(self) -> Answer:
        """Spell the key in another way."""
        return self.error(401, "Invalid Api Key", tip="hint")

    def bad_request(self, operation: str, problems: Sequence[Problem]) -> Answer:
        """Give lists of sentences by field."""
        if "400" not in documented(operation):
            return self.wrong_key()
        said: dict[str, list[str]] = {}
        for problem in problems:
            said.setdefault(problem.field, []).append(_sentence(problem))
        return self.error(400, said)

    def too_many(self, message: str, wait: float) -> Answer:  # noqa: ARG002 - it says less here
        """Name the wait in a hint only."""
        hint = f"same request sent several times, wait for {max(1, math.ceil(wait))} seconds and try again"
        return self.error(429, "Rate limit exceeded", tips=hint)


DIALECTS: Mapping[Name, Spec] = {"spec": Spec(), "observed": Observed()}


def _number(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}(\.[0-9]{1,18})?", value):
        return float(value) if "." in value else int(value)
    return value


def _sentence(problem: Problem) -> str:
    name = problem.field.replace("_", " ")
    return {
        "required": f"The {name} field is required.",
        "minLength": f"The {name} field is required.",
        "minimum": f"The {name} must be at least {problem.limit}.",
        "maximum": f"The {name} may not be greater than {problem.limit}.",
        "type": f"The {name} must be of another type: {problem.limit}.",
    }.get(problem.keyword, f"The selected {name} is invalid.")
