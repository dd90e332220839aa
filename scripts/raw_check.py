"""Whether the generated client has all that the spec has, and keeps what it is given.

The generator leaves out what it cannot parse, and writes a class that garbles its own data where a
field is called like a word of its code. So the lists are compared, and each class is tried.

`python raw_check.py FOLDER` tries those of a folder, and prints what is wrong.
"""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
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
_LOCALS = {"d", "cls", "field_dict"}
"""Names that the generated code has for itself where it reads and writes fields."""
_DEPTH = 3
"""How deep a sample is filled; a schema may hold itself."""


def check(spec: Document, folder: Path) -> None:
    """Refuse a generated client that lacks an operation or a schema, calls another place, or garbles a field."""
    _check_operations(spec, folder / PACKAGE / "api")
    for name, schema in _objects(spec).items():
        if not (folder / PACKAGE / "models" / f"{PythonIdentifier(_class(name, schema), _PREFIX)}.py").is_file():
            raise SpecError(f"the generator left out the schema {name}")
    for path in sorted((folder / PACKAGE / "models").glob("*.py")):
        _check_names(path)
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    tried = subprocess.run(
        [sys.executable, __file__, folder], env=environment, capture_output=True, text=True, check=False
    )
    if tried.returncode:
        said = tried.stdout or (tried.stderr.strip().splitlines() or ["it ended without a word"])[-1]
        raise SpecError(f"the generated client is not sound:\n{said.rstrip()}")


def _check_operations(spec: Document, api: Path) -> None:
    named = [
        (f"{method.upper()} {path} ({operation['operationId']})", method, path, operation["operationId"])
        for method, path, operation in operations(spec)
    ]
    functions: dict[str, str] = {}
    for what, _, _, name in named:
        function = PythonIdentifier(name, _PREFIX)
        if (other := functions.setdefault(function, what)) != what:
            raise SpecError(f"{other} and {what} both become {function}.py: name one of them by an overlay action")
    for what, method, path, name in named:
        found = list(api.glob(f"*/{PythonIdentifier(name, _PREFIX)}.py"))
        if not found:
            raise SpecError(f"the generator left out {what}")
        url = re.sub(r"{([^}]*)}", lambda place: f"{{{PythonIdentifier(place[1], _PREFIX)}}}", path)
        if _called(found[0]) != (method, url):
            raise SpecError(f"the generator has {what} call {_called(found[0])}, and not {(method, url)}")


def _called(path: Path) -> tuple[str, str]:
    """Return the method and URL that a generated module calls."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Dict):
            found = {ast.literal_eval(key): value for key, value in zip(node.keys, node.values, strict=True) if key}
            if {"method", "url"} <= found.keys():
                texts = [
                    next(n.value for n in ast.walk(found[key]) if isinstance(n, ast.Constant))
                    for key in ("method", "url")
                ]
                return str(texts[0]), str(texts[1])
    return "", ""


def _check_names(path: Path) -> None:
    """Refuse a class with a field that is called like a word of the generated code, which would take its place."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ClassDef):
            fields = [
                item.target.id
                for item in node.body
                if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
            ]
            methods = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
            odd = [name for name in fields if name in methods | _LOCALS or fields.count(name) > 1]
            if odd:
                raise SpecError(
                    f"{node.name} has a field {odd[0]!r}, which is a word of the generated code's own:\n"
                    "  it would garble the others; remove the field by an overlay action"
                )


def problems(spec: Document, folder: Path) -> Iterator[str]:
    """Import every module, and send each field of each class there and back."""
    for path in sorted((folder / PACKAGE).rglob("*.py")):
        importlib.import_module(".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__"))
    models = importlib.import_module(f"{PACKAGE}.models")
    for name, schema in _objects(spec).items():
        fields = schema.get("properties", {})
        always = {field: sample(spec, fields.get(field)) for field in schema.get("required", ())}
        for field, inner in fields.items():
            node = resolved(spec, inner)
            if not isinstance(node, dict) or node.get("format") == "binary":
                continue  # anything, or a file, which is no JSON
            if said := _garbles(getattr(models, _class(name, schema)), {**always, field: sample(spec, inner)}):
                yield f"  {name} garbles what it is given with {field!r}: {said}"
                break


def sample(spec: Document, schema: Any, depth: int = 0) -> Any:
    """Return a value that a schema describes, as far as its classes go."""
    found = resolved(spec, schema)
    # What may be anything is a text; so is what is too deep: a required field may lead to itself.
    node: Document = found if isinstance(found, dict) and depth <= 2 * _DEPTH else {"type": "string"}
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
