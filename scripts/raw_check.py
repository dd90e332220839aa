"""Whether the generated client has all that the spec has, and keeps what it is given.

The generator leaves out what it cannot parse, and writes a class that garbles its own data where a
field is called like a word of its code. So the lists are compared, and each class is tried.

`python raw_check.py FOLDER` tries those of a folder, and prints what is wrong.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from openapi_python_client.strings import ClassName, PythonIdentifier

from spec import Document, SpecError, operations, resolved

PACKAGE = "modelslab_pony_raw"
_PREFIX = "field_"
"""What the generator puts before a name that cannot begin one; its own default."""
_TEXTS = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00+00:00",
    "uuid": "12345678-1234-5678-1234-567812345678",
}
_DEPTH = 3
"""How deep a sample is filled; a schema may hold itself."""


def check(spec: Document, folder: Path) -> None:
    """Refuse a generated client that lacks an operation or a schema, or garbles a field."""
    for method, path, operation in operations(spec):
        function = PythonIdentifier(operation["operationId"], _PREFIX)
        if not list((folder / PACKAGE / "api").glob(f"*/{function}.py")):
            raise SpecError(f"the generator left out {method.upper()} {path} ({operation['operationId']})")
    for name, schema in _objects(spec).items():
        if not (folder / PACKAGE / "models" / f"{PythonIdentifier(_class(name, schema), _PREFIX)}.py").is_file():
            raise SpecError(f"the generator left out the schema {name}")
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    tried = subprocess.run(
        [sys.executable, __file__, folder], env=environment, capture_output=True, text=True, check=False
    )
    if tried.returncode:
        said = tried.stdout or (tried.stderr.strip().splitlines() or ["it ended without a word"])[-1]
        raise SpecError(f"the generated client is not sound:\n{said.rstrip()}")


def problems(spec: Document, folder: Path) -> Iterator[str]:
    """Import every module, and send each field of each class there and back."""
    for path in sorted((folder / PACKAGE).rglob("*.py")):
        importlib.import_module(".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__"))
    models = importlib.import_module(f"{PACKAGE}.models")
    words = _words([getattr(models, _class(name, schema)) for name, schema in _objects(spec).items()])
    for name, schema in _objects(spec).items():
        fields = schema.get("properties", {})
        always = {field: sample(spec, fields.get(field)) for field in schema.get("required", ())}
        for field, inner in fields.items():
            if resolved(spec, inner).get("format") == "binary":
                continue  # a file, which is no JSON
            if said := _garbles(getattr(models, _class(name, schema)), {**always, field: sample(spec, inner)}):
                guilty = [repr(other) for other in fields if PythonIdentifier(other, _PREFIX) in words] or [repr(field)]
                yield f"  {name} garbles its fields, because of {', '.join(guilty)}: {said}"
                yield "    the name is one of the generated code's own: remove the field by an overlay action"
                break


def sample(spec: Document, schema: Any, depth: int = 0) -> Any:
    """Return a value that a schema describes, as far as its classes go."""
    node = resolved(spec, {} if schema is None else schema)
    if "enum" in node or "const" in node:
        return next((value for value in node.get("enum", [node.get("const")]) if value is not None), None)
    for choice in ("oneOf", "anyOf"):
        for branch in node.get(choice, ()):
            if (found := sample(spec, branch, depth)) is not None:
                return found
    if "allOf" in node:
        parts = [sample(spec, part, depth) for part in node["allOf"]]
        return {key: value for part in parts if isinstance(part, dict) for key, value in part.items()} or parts[0]
    stated = node.get("type", "object" if "properties" in node else "string")
    kind = next((name for name in ([stated] if isinstance(stated, str) else stated) if name != "null"), "null")
    if kind == "object":
        names = node.get("properties", {}) if depth < _DEPTH else node.get("required", ())
        return {name: sample(spec, node.get("properties", {}).get(name), depth + 1) for name in names}
    if kind == "array":
        return [sample(spec, node.get("items"), depth + 1)] if depth < _DEPTH else []
    text = _TEXTS.get(node.get("format", ""), "text")
    return {"string": text, "integer": 1, "number": 1.5, "boolean": True}.get(kind)


def _garbles(model: Any, given: Document) -> str | None:
    try:
        back = model.from_dict(json.loads(json.dumps(given))).to_dict()
    except Exception as error:  # noqa: BLE001 - whatever the generated code does wrong
        return f"{type(error).__name__}: {error}"
    return None if back == given else f"{given} comes back as {back}"


def _words(classes: Sequence[Any]) -> set[str]:
    """Return the names that all the generated classes use for themselves."""
    used = [
        {*vars(each), *each.from_dict.__func__.__code__.co_varnames, *each.to_dict.__code__.co_varnames}
        for each in classes
        if callable(each.from_dict) and callable(each.to_dict)
    ]
    return set.intersection(*used, {*used[0]}) if used else set()


def _class(name: str, schema: Document) -> str:
    return ClassName(schema.get("title") or name, _PREFIX)


def _objects(spec: Document) -> Document:
    """Return the named schemas that become classes with fields."""
    found = spec.get("components", {}).get("schemas", {})
    return {name: schema for name, schema in found.items() if isinstance(schema, dict) and schema.get("properties")}


if __name__ == "__main__":
    place = Path(sys.argv[1])
    found = list(problems(json.loads((place / "openapi.json").read_text("utf-8")), place))
    print(*found, sep="\n")
    sys.exit(bool(found))
