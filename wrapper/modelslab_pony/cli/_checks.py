"""What `pony doctor` makes of what was found: decisions and words, without I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal
from urllib.parse import SplitResult, unquote, urlsplit

from attrs import define, field, frozen

from modelslab_pony import errors
from modelslab_pony._private import without_private_urls
from modelslab_pony._redact import SHORTEST_KEY, Redactor
from modelslab_pony.cli._exits import code_of
from modelslab_pony.cli._report import one_line

MOST_SKEW = 300.0
"""Seconds that two clocks may differ by; certificates and signed URLs bear about as much."""
STAGES = ("dns", "tcp", "tls", "http")
"""What has to succeed, one after the other, before the service answers."""
_SHORTEST = 4
"""Characters of a login that are looked for; fewer would be found in any word."""
_NO_REQUEST = "nothing was sent"
_ADVICE = {
    "dns": "look at the network, and at the name in MODELSLAB_BASE_URL",
    "tcp": "look at firewall and proxy (HTTPS_PROXY), and at the port in MODELSLAB_BASE_URL",
    "tls": "look at the clock; where the network has an authority of its own, name its file in SSL_CERT_FILE",
    "http": "look at what stands before the service: proxy, gateway, MODELSLAB_BASE_URL",
}


@frozen
class Check:
    """One line of the report."""

    name: str
    outcome: Literal["ok", "failed", "skipped"]
    told: str
    advice: str = ""
    error: type[errors.PonyError] | None = None
    """The class whose exit code a failure has."""

    def document(self) -> dict[str, str | None]:
        """Return it for JSON."""
        kind = self.error.__name__ if self.error else None
        return {"name": self.name, "outcome": self.outcome, "told": self.told, "advice": self.advice, "error": kind}


@define
class Trail:
    """How far a call came, noted while it is made: it may never end."""

    stage: str = "dns"
    addresses: int = 0
    peer: str = ""
    tls: str = ""
    status: int | None = None
    content_type: str = ""
    date: str = ""
    fault: str = ""
    """Why it came no further; empty if it was answered."""


@frozen
class Secrets:
    """What may not be in a report, whoever says it: the key, and logins of the base URL and of proxies."""

    values: frozenset[str] = field(repr=False)

    @classmethod
    def of(cls, key: str, urls: Iterable[str]) -> Secrets:
        """Take a key, and what in URLs lets somebody in."""
        found = {key, key.strip()}
        for url in urls:
            if split(url) is None:
                found.add(url)
            login = _login(url)
            for text in (login, unquote(login)):
                found |= {text, *text.split(":", 1), *re.split(r"[:/?#@]+", text)}
        return cls(frozenset(found - {""}))

    def clean(self, text: str) -> str:
        """Return a text without them, on one line."""
        for value in sorted(self.values, key=len, reverse=True):
            if len(value) >= SHORTEST_KEY:
                text = Redactor(value).text(text)
            elif len(value) >= _SHORTEST:
                text = text.replace(value, "[secret]")
        return one_line(without_private_urls(text))


# --- this machine ----------------------------------------------------------------------------


def extras(installed: Mapping[str, Mapping[str, str | None]]) -> list[Check]:
    """Return a line for each extra: `installed` has the version of each of its libraries, None for a missing one."""
    found = []
    for extra, libraries in installed.items():
        missing = [name for name, version in libraries.items() if version is None]
        if missing:
            advice = f"pip install 'modelslab-pony[{extra}]' where it is needed"
            found.append(Check(f"extra {extra}", "skipped", f"not installed: {', '.join(missing)}", advice))
        else:
            told = ", ".join(f"{name} {version}" for name, version in libraries.items())
            found.append(Check(f"extra {extra}", "ok", told))
    return found


def folder(problem: str) -> Check:
    """Return the line about the folder in which the command runs."""
    if problem:
        advice = "run it elsewhere, or save images with -o FOLDER"
        return Check("folder", "failed", f"no file can be made in it: {problem}", advice, errors.InvalidRequestError)
    return Check("folder", "ok", "files can be made in it")


def key(problem: str) -> Check:
    """Return the line about the key's shape; no part of it is told, not even its length."""
    if problem:
        advice = "export MODELSLAB_API_KEY=..., from the dashboard of your account"
        return Check("key", "failed", problem, advice, errors.ConfigurationError)
    return Check("key", "ok", "MODELSLAB_API_KEY is set, and may be one by its characters")


# --- the way to the service --------------------------------------------------------------------


def base_url(url: str, problem: str, *, is_default: bool, is_local: bool) -> Check:
    """Return the line about where calls go."""
    if problem:
        advice = "correct MODELSLAB_BASE_URL, or unset it"
        return Check("base url", "failed", problem, advice, errors.ConfigurationError)
    kind = "the service's own" if is_default else "from MODELSLAB_BASE_URL"
    way = ", this machine" if is_local else ", https"
    return Check("base url", "ok", f"{shown(url)} ({kind}{way})")


def proxy(url: str, problem: str, *, is_local: bool) -> Check:
    """Return the line about the proxy of the environment, without the login for it."""
    if problem:
        advice = "correct HTTPS_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE, SSL_CERT_DIR"
        return Check("proxy", "failed", problem, advice, errors.ConfigurationError)
    if url:
        login = ", with a login" if "@" in url else ""
        return Check("proxy", "ok", f"calls go through {shown(url, path=False)}{login}")
    return Check("proxy", "ok", "none: calls stay on this machine" if is_local else "none")


def network(trail: Trail, *, is_https: bool, is_proxied: bool) -> list[Check]:
    """Return a line for each stage of a call without the key."""
    told = {
        "dns": f"{trail.addresses} address(es)",
        "tcp": f"connected to {trail.peer}" + (" (the proxy)" if is_proxied else ""),
        "tls": trail.tls,
        "http": f"an answer: HTTP {trail.status} {trail.content_type}".strip(),
    }
    skipped = {} if is_https else {"tls": "the base URL is http"}
    skipped |= {"dns": "the proxy looks the name up"} if is_proxied else {}
    if is_https and trail.stage == "http" and not trail.tls:  # a proxy came between
        skipped["tls"] = "it did not come to that"
    found, reached = [], STAGES.index(trail.stage)
    for number, stage in enumerate(STAGES):
        if stage in skipped:
            found.append(Check(stage, "skipped", skipped[stage]))
        elif number < reached or not trail.fault:
            found.append(Check(stage, "ok", told[stage]))
        elif number == reached:
            found.append(Check(stage, "failed", trail.fault, _ADVICE[stage], errors.TransportError))
        else:
            found.append(Check(stage, "skipped", f"after {trail.stage}, which failed"))
    if trail.status is not None and (trail.status >= 500 or trail.status == 407):
        kind = errors.ServerError if trail.status >= 500 else errors.TransportError
        found[-1] = Check("http", "failed", told["http"], _ADVICE["http"], kind)
    return found


def unasked(why: str) -> list[Check]:
    """Return the lines of a service that is not asked."""
    return [Check(stage, "skipped", why) for stage in STAGES]


def clock(date: str, now: float) -> Check:
    """Return the line about this machine's clock (seconds since 1970), beside the `Date` of an answer."""
    try:
        theirs = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return Check("clock", "skipped", "no answer with a date to compare it with")
    theirs = theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC)
    skew = (datetime.fromtimestamp(now, UTC) - theirs).total_seconds()
    if abs(skew) <= MOST_SKEW:
        return Check("clock", "ok", f"within {MOST_SKEW:.0f} s of the other side's")
    told = f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the other side's"
    return Check("clock", "failed", told, "set this machine's clock", errors.ConfigurationError)


def account(found: float | errors.PonyError, secrets: Secrets, key: str) -> Check:
    """Return the line about the balance, which proves that the key is taken; the sum is nobody's business."""
    if not isinstance(found, errors.PonyError):
        empty = "" if found > 0 else "; the wallet is empty, which matters unless a plan pays"
        return Check("balance", "ok", f"the key is taken{empty}")
    said = (
        str(found) if len(key) >= SHORTEST_KEY else "the service's words are withheld: they might hold so short a key"
    )
    advice = "copy the key again from the dashboard of your account"
    if not isinstance(found, errors.AuthenticationError):
        advice = "see http above" if isinstance(found, errors.TransportError | errors.ServerError) else _ADVICE["http"]
    return Check("balance", "failed", f"{type(found).__name__}: {secrets.clean(said)}", advice, type(found))


# --- the report --------------------------------------------------------------------------------


def code(checks: Sequence[Check]) -> int:
    """Return 0 if nothing failed, else the exit code of the first that did."""
    return next((code_of(check.error) for check in checks if check.error is not None), 0)


def lines(checks: Sequence[Check]) -> list[str]:
    """Return the report, a line a check, and one that sums it up."""
    width = max(len(check.name) for check in checks)
    told = [
        f"{check.outcome:<7}  {check.name:<{width}}  {check.told}" + (f" -> {check.advice}" if check.advice else "")
        for check in checks
    ]
    counts = [f"{sum(check.outcome == one for check in checks)} {one}" for one in ("ok", "failed", "skipped")]
    first = next((check for check in checks if check.error is not None), None)
    ending = f"; exit code {code(checks)}, for {first.name}" if first else ""
    return [*told, f"{', '.join(counts)}{ending}"]


def shown(url: str, *, path: bool = True) -> str:
    """Return a URL without what may let somebody in: a login, and a path that looks like a token."""
    parts = split(url)
    if parts is None or not parts.hostname or "@" in f"{parts.path}{parts.query}{parts.fragment}":
        return "one that cannot be read"  # or a login with a slash in it, of which the first half looks like a host
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = f":{parts.port}" if parts.port else ""
    origin = f"{parts.scheme}://{host}{port}"
    whole = f"{origin}{parts.path}"
    return origin if not path else whole if without_private_urls(whole) == whole else f"{origin}/..."


def _login(url: str) -> str:
    """Return what stands before the last @ of a URL: more than a login, if anything, where a slash is in a password."""
    return url.partition("://")[2].rpartition("@")[0] if "://" in url else url.rpartition("@")[0]


def split(url: str) -> SplitResult | None:
    """Return the parts of a URL, also of a proxy's without a scheme; None for what is none."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        parts.port  # noqa: B018 - a bad port raises here
    except ValueError:
        return None
    return parts
