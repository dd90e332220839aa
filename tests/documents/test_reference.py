"""The docstrings of the public face: one for each name, and true as far as a program can tell.

What they name is looked up in the classes themselves, what they count in the constants.
"""

from __future__ import annotations

import builtins
import importlib
import re
from collections.abc import Mapping
from typing import Any

import attrs
import pytest

from modelslab_pony import (
    _classify,
    _files,
    _http,
    _pictures,
    _settings,
    _uploads,
    _webhook,
    requests,
    webhooks,
)
from modelslab_pony.batch import _batch, _names, _store
from modelslab_pony.requests import KINDS, Request, spec_fields
from modelslab_pony.testing import _core, _options, _simulator
from prism_image import ROOT
from support.face import MODULES, Documented, exported, face

NAMED = re.compile(r"`((?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*)(?:\(.*?\))?`")
ERROR = re.compile(r"`(\w+)`")
DEFAULT = re.compile(r"\b[Dd]efault:? (`[^`]+`|\"[^\"]*\"|\d[\d,.]*\d|\d|True|False|None)( MiB)?")


def test_everything_public_has_a_docstring() -> None:
    """Each name, method, property and field, in modules that are imported from."""
    assert len(face()) > 400
    assert [path for path, found in face().items() if not found.text.strip()] == []


def test_a_docstring_ends_as_a_sentence() -> None:
    """Or it was cut off."""
    assert [path for path, found in face().items() if not re.search(r"[.:?)…]\Z", found.text.rstrip())] == []


def test_the_modules_are_all_that_users_import() -> None:
    """Those without an underscore; `cli` is a command, and `plugin` is pytest's."""
    public = {
        ".".join(path.relative_to(ROOT / "wrapper").with_suffix("").parts).removesuffix(".__init__")
        for path in (ROOT / "wrapper" / "modelslab_pony").rglob("*.py")
        if not any(part.startswith("_") and part != "__init__.py" for part in path.relative_to(ROOT / "wrapper").parts)
    }
    public = {name for name in public if not name.startswith("modelslab_pony.cli")}
    assert public - {"modelslab_pony.client", "modelslab_pony.async_client"} == set(MODULES)


# --- what they name ------------------------------------------------------------------------------------


def named_things() -> dict[str, Any]:
    """Return what a dotted name in a docstring may begin with: every public name, and modules by their last part."""
    things: dict[str, Any] = {}
    for name in MODULES:
        module = importlib.import_module(name)
        things[name.rpartition(".")[2]] = things[name] = module
        things |= {public: getattr(module, public) for public in exported(module)}
    for name in ("httpx", "asyncio", "pytest"):
        things[name] = importlib.import_module(name)
    return things


def has(thing: Any, name: str) -> bool:
    if hasattr(thing, name) or name in getattr(thing, "__annotations__", {}):
        return True
    return isinstance(thing, type) and any(name in vars(kind).get("__annotations__", {}) for kind in thing.__mro__)


def missing(text: str, things: Mapping[str, Any]) -> list[str]:
    """Return the dotted names in a docstring that lead nowhere, and the names of classes that there are not."""
    wrong = []
    for dotted in NAMED.findall(text):
        first, *rest = dotted.removeprefix("modelslab_pony.").split(".") if "." in dotted else [dotted]
        if not rest:
            if re.fullmatch(r"[A-Z][a-z]+(?:[A-Z]\w+)+|[A-Z]\w+Error", first) and not exists(first, things):
                wrong.append(dotted)
        elif first in things:
            thing = things[first]
            if not has(thing, rest[0]):
                wrong.append(dotted)
        elif first[0].isupper():
            wrong.append(dotted)
    return wrong


def exists(name: str, things: Mapping[str, Any]) -> bool:
    return name in things or hasattr(builtins, name) or name.endswith("Scheduler")


def test_what_a_docstring_names_is_there() -> None:
    """`PonyClient.fetch`, `JobStatus.status`, `samplers.SAMPLERS`: a member that was renamed is found here."""
    things = named_things()
    assert {path: wrong for path, found in face().items() if (wrong := missing(found.text, things))} == {}


def test_a_name_that_leads_nowhere_is_found() -> None:
    """Of a class, of one of its members."""
    things = named_things()
    assert missing("See `PonyClient.fetsh`, `GoneError`, `PonyClient.fetch`, `JobTimeout`.", things) == [
        "PonyClient.fetsh",
        "GoneError",
    ]


def raised(text: str) -> list[str]:
    """Return what a docstring says is raised: in its sentences that say so, and in a section `Raises:`."""
    plain = re.sub(r"\bas `[\w.]+`|\boutlasted the `RetryPolicy`", "", re.sub(r"\s+", " ", text))
    sentences = re.findall(r"\b[Rr]aises? (.*?)(?:\.(?: |$)|$)", plain)
    listed = text.partition("Raises:\n")[2]
    names = re.findall(r"^    (\w+): ", listed, re.MULTILINE)
    return names + [name for sentence in sentences for name in ERROR.findall(sentence) if name[0].isupper()]


def test_what_is_said_to_be_raised_can_be() -> None:
    """Each is an error of this package or one of Python's."""
    things = named_things() | vars(builtins)
    found = {path: raised(found.text) for path, found in face().items()}
    assert sum(map(len, found.values())) > 50
    wrong = {
        (path, name)
        for path, names in found.items()
        for name in names
        if not (isinstance(things.get(name), type) and issubclass(things[name], BaseException))
    }
    assert wrong == set()


def test_same_as_names_the_same_method() -> None:
    """An asynchronous method, and a class, says which one it is the same as; that one has its name."""
    pairs = [
        (path, other) for path, found in face().items() for other in re.findall(r"^Same as `([\w.]+)`", found.text)
    ]
    assert len(pairs) > 25
    for path, other in pairs:
        ours, theirs = path.rpartition(".")[2], other.rpartition(".")[2]
        fits = {theirs, f"Async{theirs}", f"async_{theirs}", f"{theirs}_async"}
        assert ours in fits, (path, other)


# --- the numbers in them ---------------------------------------------------------------------------------


def bounds(rule: Any) -> str:
    """Return a rule's range in the words of a docstring."""
    if rule.minimum is None:
        return ""
    return f"at least {rule.minimum}" if rule.maximum is None else f"{rule.minimum} to {rule.maximum}"


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.__name__)
def test_ranges_of_fields_are_those_that_are_checked(kind: type[Request]) -> None:
    """In the request class, and in the keywords that editors show."""
    checked = 0
    for name, (_, rule) in spec_fields(kind).items():
        places = [
            f"modelslab_pony.requests.{kind.__name__}.{name}",
            f"modelslab_pony.requests.{kind.__name__}Options.{name}",
        ]
        for text in (face()[place].text for place in places if place in face()):
            assert bounds(rule) in text, (places, bounds(rule))
            assert rule.multiple_of is None or f"divisible by {rule.multiple_of}" in text, places
            checked += bool(bounds(rule))
    assert checked >= 10


def test_the_keywords_are_the_fields() -> None:
    """Each field that a method takes by keyword has its key, and no other."""
    for kind in KINDS.values():
        options = getattr(requests, f"{kind.__name__}Options")
        given = {"prompt", *(name for name, (_, rule) in spec_fields(kind).items() if rule.kind == "image")}
        assert options.__required_keys__ == set()
        assert options.__optional_keys__ == {field.name for field in attrs.fields(kind)} - given


def stated(found: Documented) -> Any:
    """Return the default that a docstring states, or NOTHING."""
    match = DEFAULT.search(found.text)
    if match is None:
        return attrs.NOTHING
    word = match[1].strip('`"')
    if word in {"True", "False", "None"}:
        return {"True": True, "False": False, "None": None}[word]
    if re.fullmatch(r"[\d,.]+", word):
        return float(word.replace(",", "")) * (2**20 if match[2] else 1)
    return word


def test_defaults_are_those_of_the_fields() -> None:
    """What a field's docstring says it is by default; those of requests, policies and faults say it."""
    silent, wrong = [], []
    for path, found in face().items():
        owner, _, name = path.rpartition(".")
        if owner not in face() or not attrs.has(found.thing):
            continue
        field = next((field for field in attrs.fields(found.thing) if field.name == name), None)
        if field is None:
            continue
        said = stated(found)
        if said is not attrs.NOTHING and said != field.default:
            wrong.append(path)
        has_number = isinstance(field.default, int | float)
        if has_number and said is attrs.NOTHING and re.search(r"\.(requests|policies|faults)\.", path):
            silent.append(path)
    assert (wrong, silent) == ([], [])


KEPT = _webhook.MESSAGE_KEPT
LIMITS = [
    ("modelslab_pony.client.PonyClient", r"Default: (\d+), and 10 to connect", _http.DEFAULT_TIMEOUT.read),
    ("modelslab_pony.client.PonyClient", r"and (\d+) to connect", _http.LONGEST_CONNECT),
    ("modelslab_pony.client.PonyClient", r"so (\d+) in\s+all", _http._whole(_http.DEFAULT_TIMEOUT)),
    ("modelslab_pony.client.PonyClient", r"(\d+) for a download", _http.DEFAULT_DOWNLOAD),
    ("modelslab_pony.client.PonyClient", r"at least 1, default (\d+)", _settings.DEFAULT_IN_FLIGHT),
    ("modelslab_pony.client.PonyClient.generate", r"in all \((\d+); None", _settings.DEFAULT_WAIT),
    ("modelslab_pony.client.Job.wait", r"seconds \((\d+); None", _settings.DEFAULT_WAIT),
    ("modelslab_pony.client.PonyClient.img2img", r"keeps it for (\d+) hours", _uploads.URL_LIFE / 3600 + 1),
    ("modelslab_pony.client.PonyClient.queued", r"at most (\d+) such calls", _core.COUNTS_A_MINUTE),
    ("modelslab_pony.client.PonyClient.reload_model", r"after (\d+) days", _core.IDLE_TIME / _options.DAY),
    ("modelslab_pony.client.PonyClient.reload_model", r"about (\d+) minutes", _core.RELOAD_TIME / 60),
    ("modelslab_pony.requests.ImageSource", r"at most (\d+) MB", _pictures.MAX_UPLOAD_BYTES / 1e6),
    ("modelslab_pony.requests.ImageToImage.init_image", r"at most (\d+) MB", _pictures.MAX_UPLOAD_BYTES / 1e6),
    ("modelslab_pony.requests.Inpaint.init_image", r"at most (\d+) MB", _pictures.MAX_UPLOAD_BYTES / 1e6),
    ("modelslab_pony.results.Image.read", r"larger than (\d+) MiB", _files.MAX_IMAGE_BYTES / 2**20),
    ("modelslab_pony.errors.APIError.body", r"beyond ([\d,]+) characters", _classify.BODY_KEPT),
    ("modelslab_pony.errors.InvalidWebhookError.body", r"at most (\d+) characters", _webhook.BODY_SHOWN),
    ("modelslab_pony._webhook.parse", r"at most (\d+) MiB", _webhook.MAX_BODY / 2**20),
    ("modelslab_pony._webhook.MAX_BODY", r"at most: (\d+) MiB", _webhook.MAX_BODY / 2**20),
    ("modelslab_pony._webhook.WebhookEvent.message", r"at most (\d+) characters", KEPT),
    ("modelslab_pony._webhook.WebhookEvent.track_id", r"at most (\d+) characters", KEPT),
    ("modelslab_pony.webhooks.Receiver", r"at most (\d+) at a time", webhooks.AT_ONCE),
    ("modelslab_pony.webhooks.Receiver", r"at most (\d+) MiB", webhooks.MAX_BODY / 2**20),
    ("modelslab_pony.batch._batch.Batch", r"from 1 to (\d+)", _store.MOST),
    ("modelslab_pony.batch._batch.Batch", r"that of the database, else (\d+)", _batch.DEFAULT_LIMIT),
    ("modelslab_pony.testing._simulator.Simulator", r"at once, default (\d+)", _options.QUEUE_LIMIT),
    ("modelslab_pony.testing._simulator.Simulator", r"in USD, default (\d+)", _options.FIRST_BALANCE),
    ("modelslab_pony.testing._simulator.Simulator", r"on; default ([\d.]+)", _options.PRICE),
    ("modelslab_pony.testing._simulator.Simulator", r"404, default (\d+)", _options.DAY),
    ("modelslab_pony.testing._simulator.Simulator", r"remembered, default (\d+)", _options.RETENTION),
    (
        "modelslab_pony.testing._simulator.Simulator.requests",
        r"last (\d+) requests",
        _simulator.Simulator().requests.maxlen,
    ),
    ("modelslab_pony.testing._simulator.Exchange.said", r"at most (\d+) characters", _simulator.SAID),
    ("modelslab_pony.testing._simulator.Exchange.fault", r"at most (\d+) characters", _simulator.SAID),
]


@pytest.mark.parametrize(("path", "words", "number"), LIMITS, ids=[f"{path}-{words}" for path, words, _ in LIMITS])
def test_limits_are_those_of_the_code(path: str, words: str, number: float | None) -> None:
    """A number in a docstring that has a name in the code is that number."""
    found = re.search(words, face()[path].text)
    assert found, face()[path].text
    assert float(found[1].replace(",", "")) == number


def test_the_template_of_a_batch_is_the_one_that_is_shown() -> None:
    """A default that is no number."""
    assert f"`template` (`{_names.DEFAULT_TEMPLATE}`)" in face()["modelslab_pony.batch._batch.Batch"].text
