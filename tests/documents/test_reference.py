"""The docstrings of the public face: one for each name, and true as far as a program can tell.

They are read as the site reads them, by griffe, which also finds the texts under fields; what they name is looked up in
the classes themselves.
"""

from __future__ import annotations

import builtins
import importlib
import re
from collections.abc import Iterator, Mapping
from functools import cache
from types import ModuleType
from typing import Any

import attrs
import griffe
import pytest
from attrs import frozen

from modelslab_pony import (
    _classify,
    _files,
    _http,
    _pictures,
    _settings,
    _uploads,
    _webhook,
    errors,
    requests,
    webhooks,
)
from modelslab_pony.batch import _batch, _names, _store
from modelslab_pony.cli import _app
from modelslab_pony.cli._batch import app as _batch_app
from modelslab_pony.cli._exits import _CODES, exit_code
from modelslab_pony.requests import KINDS, Request, spec_fields
from modelslab_pony.samplers import SAMPLERS
from modelslab_pony.testing import _core, _options, _simulator
from prism_image import ROOT

MODULES = [
    *("modelslab_pony", "modelslab_pony.errors", "modelslab_pony.policies", "modelslab_pony.recipes"),
    *("modelslab_pony.requests", "modelslab_pony.results", "modelslab_pony.samplers", "modelslab_pony.webhooks"),
    *("modelslab_pony.batch", "modelslab_pony.testing", "modelslab_pony.testing.faults"),
    *("modelslab_pony.testing.plugin", "modelslab_pony.testing.server"),
]
REFERENCE = ROOT / "docs" / "reference"
OWN_WORDS = {
    "modelslab_pony.__version__",
    *(f"modelslab_pony.recipes.{name}" for name in ("parse", "recipe_of", "recipe_of_meta", "writer")),
    *(f"modelslab_pony.requests.{name}" for name in ("RULE", "is_request", "refused", "spec_fields")),
    *(f"modelslab_pony.results.{name}" for name in ("AsyncLoader", "Loader", "StrPath")),
}
"""What this package's own modules say to each other; it needs no place on a page."""
NAMED = re.compile(r"`((?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*)(?:\(.*?\))?`")
ERROR = re.compile(r"`(\w+)`")
DEFAULT = re.compile(r"\b[Dd]efault:? (`[^`]+`|\"[^\"]*\"|\d[\d,.]*\d|\d|True|False|None)( MiB)?")


@frozen
class Documented:
    """A public name, and what is said of it."""

    path: str
    """Where it is defined."""
    text: str
    thing: Any
    """The class, function or value; of a field, the class that it is of."""


@cache
def package() -> Any:
    return griffe.load("modelslab_pony", search_paths=[ROOT / "wrapper"], resolve_aliases=True, allow_inspection=False)


def exported(module: ModuleType) -> list[str]:
    """Return a module's public names: those of `__all__`, else what it defines itself without an underscore."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    read = package()[module.__name__.partition(".")[2]]
    generic = {name for name, value in vars(module).items() if type(value).__name__ == "TypeVar"}
    return [
        name for name, found in read.members.items() if not (name.startswith("_") or found.is_alias or name in generic)
    ]


def members(kind: Any) -> Iterator[tuple[str, Any]]:
    """Yield the public members of a class as griffe reads it, those of its own bases included."""
    for name, member in kind.all_members.items():
        if not name.startswith("_"):
            yield name, member.final_target if member.is_alias else member


def said(read: Any) -> str:
    return read.docstring.value if read.docstring else ""


@cache
def face() -> Mapping[str, Documented]:
    """Return everything public, once each."""
    found: dict[str, Documented] = {}
    for name in MODULES:
        module = importlib.import_module(name)
        read = package()[name.partition(".")[2]] if "." in name else package()
        found[name] = Documented(name, said(read), module)
        for public in exported(module):
            member = read.members[public]
            member = member.final_target if member.is_alias else member
            thing = getattr(module, public)
            found[member.path] = Documented(member.path, said(member), thing)
            if member.is_class:
                for part, inner in members(member):
                    path = f"{member.path}.{part}"
                    found[path] = Documented(path, said(inner), thing)
    return found


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


# --- tables of the pages -----------------------------------------------------------------------------------


def rows(page: str, heading: str) -> list[list[str]]:
    """Return the cells of the table that begins with a heading."""
    text = (REFERENCE / page).read_text("utf-8")
    lines = text[text.index(heading) :].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def error_of(cell: str) -> type[errors.PonyError] | None:
    found = re.fullmatch(r"\[`(\w+)`\]\[modelslab_pony\.errors\.(\w+)\]", cell)
    assert found is None or found[1] == found[2]
    return getattr(errors, found[1]) if found else None


def test_the_page_of_errors_has_each_with_its_code() -> None:
    """And the attributes that a class adds to those of its parents."""
    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.PonyError)}
    shown = {error_of(cells[0]): cells for cells in rows("errors.md", "| error |")}
    assert shown.keys() == kinds
    for kind, (_, code, _, own) in shown.items():
        assert kind is not None
        assert int(code) == exit_code(kind("said")), kind
        added = {name for name in kind.__annotations__ if "__annotations__" in vars(kind)}
        added |= {name for name, value in vars(kind).items() if isinstance(value, property)}
        assert set(re.findall(r"`(\w+)`", own)) == added, kind


def test_the_tree_on_the_page_is_that_of_the_module() -> None:
    """Name by name."""
    branch = re.compile(r"^([│ ├└─]*)(\w+)(?: \((\w+)\))?", re.MULTILINE)
    text = (REFERENCE / "errors.md").read_text("utf-8")
    page = re.findall(r"```text\n(.*?)```", text, re.DOTALL)[0]
    drawn = (errors.__doc__ or "").partition("\n\n")[2].partition("\n\n")[0]
    assert branch.findall(page) == branch.findall(drawn)


def test_the_page_of_the_command_has_every_code() -> None:
    """Of errors; the others are in words."""
    shown = {kind: int(cells[0]) for cells in rows("command.md", "| code |") if (kind := error_of(cells[1]))}
    assert shown == _CODES


def test_the_page_of_the_command_has_every_command() -> None:
    """Those of `pony batch`, too, and none that is gone."""
    shown = {re.sub(r" [A-Z-].*", "", cells[0].strip("`")) for cells in rows("command.md", "| command |")}
    known: set[str] = set()
    for typer_app, above in ((_app.app, "pony"), (_batch_app, "pony batch")):
        names = [
            command.name or command.callback.__name__ for command in typer_app.registered_commands if command.callback
        ]
        known |= {f"{above} {name}" for name in names}
    assert shown == known


def test_the_page_of_samplers_has_each_with_what_it_sets() -> None:
    """In their order."""
    shown = [tuple(cells) for cells in rows("samplers.md", "| sampler |")]
    assert shown == [
        (
            name,
            f"`{sampler.scheduler.removesuffix('Scheduler')}`",
            f"`{sampler.algorithm_type}`" if sampler.algorithm_type else "none",
            "yes" if sampler.use_karras_sigmas else "no",
        )
        for name, sampler in SAMPLERS.items()
    ]


def test_every_public_name_is_on_a_page() -> None:
    """By itself, or with its module."""
    text = "\n".join(path.read_text("utf-8") for path in REFERENCE.glob("*.md"))
    shown = set(re.findall(r"^::: ([\w.]+)$", text, re.MULTILINE))
    absent = []
    for name in MODULES:
        module = importlib.import_module(name)
        for public in exported(module):
            thing = getattr(module, public)
            home = getattr(thing, "__module__", name)
            places = {name, f"{name}.{public}", f"modelslab_pony.{public}", f"{home}.{public}"}
            if not (places & shown or isinstance(thing, ModuleType) or f"{name}.{public}" in OWN_WORDS):
                absent.append(f"{name}.{public}")
    assert absent == []
