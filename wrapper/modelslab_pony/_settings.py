"""What a client is told, checked: where calls go, with which key, within which limits."""

from __future__ import annotations

import inspect
import math
import os
from typing import Any, TypeVar
from urllib.parse import urlsplit

from attrs import field, frozen

from modelslab_pony._addresses import is_this_machine
from modelslab_pony._redact import Redactor, keep_out_of_logs
from modelslab_pony._rules import shown
from modelslab_pony.errors import ConfigurationError, InvalidRequestError, JobId

T = TypeVar("T")

DEFAULT_BASE_URL = "https://modelslab.com/api/v6/images"
_IMAGES = "/v6/images"
"""What follows the root of the API in the base URL."""
DEFAULT_WAIT = 600.0
"""Seconds that a job is waited for."""
MOST_SECONDS = 1e12
"""Thirty thousand years: beyond it, and for NaN, a time limit is a mistake."""
DEFAULT_IN_FLIGHT = 16
"""Calls under way at once."""


@frozen
class Secret:
    """Holds a key, or what it was mistaken for, where a traceback may show a frame's variables."""

    given: Any = field(repr=False)


@frozen(kw_only=True)
class Settings:
    """Where calls go, and with which key."""

    base_url: str
    key: str = field(repr=False)
    redactor: Redactor = field(init=False, repr=False, eq=False)

    @redactor.default
    def _redactor(self) -> Redactor:
        return Redactor(self.key)

    def url(self, server: str | None, path: str) -> str:
        """Return where a call goes: below the base URL, or below another part of the same API.

        A base URL that does not end as the service's does (a gateway's, a mock server's) has everything below it.
        """
        root = self.base_url.removesuffix(_IMAGES)
        if server is None or root == self.base_url:
            return self.base_url + path
        return root + server + path

    @property
    def is_local(self) -> bool:
        """Whether calls stay on this machine, where no proxy has a part in them."""
        return is_this_machine(urlsplit(self.base_url).hostname or "")

    @classmethod
    def resolve(cls, api_key: Secret, base_url: Secret) -> Settings:
        """Take the arguments, else the environment, else the default; refuse what cannot work."""
        if not isinstance(base_url.given, str | None):
            raise ConfigurationError(f"base_url must be a text, not {type(base_url.given).__name__}")
        place = Secret(base_url.given or os.environ.get("MODELSLAB_BASE_URL") or DEFAULT_BASE_URL)
        problem = _problem(api_key) or _problem_of_url(place, api_key)
        if problem:
            raise ConfigurationError(problem)
        settings = cls(base_url=_plain(place), key=_stripped(api_key))
        keep_out_of_logs(settings.redactor)
        return settings


def _problem(api_key: Secret) -> str:
    """Return why a key cannot be one. It is not raised here, where a traceback with locals would show the key."""
    if not isinstance(api_key.given, str | None):
        return f"api_key must be a text, not {type(api_key.given).__name__}"
    key = _stripped(api_key)
    if not (key.isascii() and key.isprintable()):
        return "the API key holds characters that no key has: copy it again"
    if not key:
        return "no API key: set MODELSLAB_API_KEY or pass api_key=...; the dashboard of your ModelsLab account shows it"
    return ""


def _stripped(api_key: Secret) -> str:
    given: str | None = api_key.given
    return (given if given is not None else os.environ.get("MODELSLAB_API_KEY", "")).strip()


def _plain(place: Secret) -> str:
    url: str = place.given
    return url.strip().rstrip("/")


def _problem_of_url(place: Secret, api_key: Secret) -> str:
    """Return why a base URL cannot be used. Neither is this raised here."""
    url, given = _plain(place), place.given
    try:
        parts = urlsplit(url)
        host = parts.hostname
        parts.port  # noqa: B018 - a bad port raises here and not at the first call
    except ValueError:
        host = None
    if url != DEFAULT_BASE_URL and Redactor(_stripped(api_key)).text(given) != given:
        return f"the base URL holds the API key, which travels in the body: it has to look like {DEFAULT_BASE_URL}"
    if "@" in url:
        return "the base URL holds a user name or password, which the service does not take"
    is_plain = url.isprintable() and not any(character.isspace() for character in url)
    if not host or not is_plain or parts.scheme not in {"http", "https"} or parts.query or parts.fragment:
        said = repr(given) if "://" in given else "that was given"
        return f"the base URL {said} cannot be used: it has to look like {DEFAULT_BASE_URL}"
    if parts.scheme == "http" and not is_this_machine(host):
        return f"the base URL {given!r} would send the API key unencrypted: use https (http is for this machine only)"
    return ""


def seconds(name: str, value: Any) -> float:
    """Return a time limit, inf for None. Raises `InvalidRequestError` for what is none."""
    if value is None:
        return math.inf
    if is_number(value) and value >= 0:
        return float(value)
    message = f"must be a number of seconds, 0 or more, or None for no limit, not {shown(value)}"
    raise InvalidRequestError(f"{name} {message}. Nothing was sent.", errors={name: [message]})


def is_number(value: Any) -> bool:
    """Tell whether a value is a number that a clock can take."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -MOST_SECONDS < value < MOST_SECONDS


def checked_callback(value: Any, *, awaited: bool) -> None:
    """Refuse an `on_update` that cannot be called, or would never run, before anything is paid for."""
    if value is not None and (not callable(value) or (inspect.iscoroutinefunction(value) and not awaited)):
        message = f"must be a function of one JobStatus, not {shown(value)}"
        raise InvalidRequestError(f"on_update {message}. Nothing was sent.", errors={"on_update": [message]})


def checked_wait(job_id: JobId | None, timeout: Any, on_update: Any, *, awaited: bool) -> float:
    """Return how long a job is waited for, inf for no limit. Raises `InvalidRequestError`, which names the job."""
    try:
        checked_callback(on_update, awaited=awaited)
        return seconds("timeout", timeout)
    except InvalidRequestError as error:
        error.job_id = job_id
        raise


def checked_policy(value: T, kind: type[T], name: str) -> T:
    """Return a policy. Raises `ConfigurationError` for what is none."""
    if isinstance(value, kind):
        return value
    raise ConfigurationError(f"{name} must be a {kind.__name__}, not {shown(value)}")


def checked_id(value: Any) -> JobId:
    """Return a job id. Raises `InvalidRequestError` for what is none."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**30:
        return value
    if isinstance(value, str) and value.strip() and value.strip().isprintable():
        return value.strip()
    message = f"must be the id of a job, an integer or a text, not {shown(value)}"
    raise InvalidRequestError(f"id {message}", errors={"id": [message]})


def checked_model(value: Any) -> str:
    """Return a model's id. Raises `InvalidRequestError` for what is none."""
    if isinstance(value, str) and value.strip() and value.isprintable():
        return value
    message = f"must be the id of a model, not {shown(value)}"
    raise InvalidRequestError(f"model_id {message}. Nothing was sent.", errors={"model_id": [message]})


def checked_in_flight(value: Any) -> int:
    """Return how many calls may be under way at once. Raises `ConfigurationError`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        message = f"max_in_flight must be an integer of at least 1, not {shown(value)}"
        raise ConfigurationError(message)
    return value


def closed() -> ConfigurationError:
    """Return the error for a call on a client that was closed."""
    return ConfigurationError("this client is closed: make a new one, or stay inside its `with` block")
