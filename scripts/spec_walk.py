"""Where two specs differ: both are walked together, operation by operation, through every reference."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from spec import METHODS, Document, operations, references, resolved
from spec_parts import ANNOTATIONS
from spec_schemas import Difference, Found, Schemas, raw, required
from spec_shapes import name_of


def differences(today: Document, new: Document) -> Found:
    """Yield every difference of meaning, and of words; the order of keys, and ways of writing, are none."""
    yield from _Walk(today, new).document()


class _Walk(Schemas):
    # --- the document -------------------------------------------------------------------------

    def document(self) -> Found:
        """Compare everything."""
        today, new = self.documents
        yield from self.servers("$", today.get("servers"), new.get("servers"))
        yield from self.security("$", today.get("security"), new.get("security"))
        yield from self.operations()
        yield from self.raw("answer", "webhooks", "notice", today.get("webhooks", {}), new.get("webhooks", {}))
        words = ("info", "tags", "externalDocs")
        yield from self.rest(
            "document", "$", words, ("openapi", "servers", "security", "paths", "webhooks", "components")
        )
        yield from self.components()

    def rest(self, side: str, place: str, words: Iterable[str], handled: Iterable[str], *nodes: Document) -> Found:
        """Compare what is left of two nodes: words are safe, and of anything else nobody knows."""
        first, second = nodes or self.documents
        for turn, wanted in (("words", True), ("unknown", False)):
            parts = (
                {k: v for k, v in node.items() if k not in handled and (k in words or k.startswith("x-")) == wanted}
                for node in (first, second)
            )
            yield from self.raw(side, place, turn, *parts)

    def servers(self, place: str, today: Any, new: Any) -> Found:
        """Compare where calls go: to the first server."""
        first, second = (_address((servers or [{}])[0]) for servers in (today, new))
        if first != second:
            yield Difference("call", place, "server", "server", first, second)
        else:
            yield from raw("call", f"{place}.servers", "words", today or [], new or [])

    def security(self, place: str, today: Any, new: Any) -> Found:
        """Compare how the service is told who calls."""
        if (today or []) != (new or []):
            yield Difference("call", place, "security", "security", today, new)

    def components(self) -> Found:
        """What no operation leads to."""
        guarded = any(
            node.get("security")
            for document in self.documents
            for node in (document, *(operation for _, _, operation in operations(document)))
        )
        first, second = ({**document.get("components", {})} for document in self.documents)
        used = set.union(*map(_used, self.documents))
        for section in dict.fromkeys([*first, *second]):
            rest = (
                {name: part for name, part in (node.get(section) or {}).items() if (section, name) not in used}
                for node in (first, second)
            )
            turn = "security" if section == "securitySchemes" and guarded else "unused"
            side = "call" if turn == "security" else "document"
            yield from self.raw(side, f"components.{section}", turn, *rest)

    # --- operations ---------------------------------------------------------------------------

    def operations(self) -> Found:
        """Compare the operations, each with the one at its place, or the one that it became."""
        today, new = (
            {(method, re.sub(r"\{[^}]*\}", "{}", path)): (method, path) for method, path, _ in operations(document)}
            for document in self.documents
        )
        come = [call for call in new if call not in today]
        for call, place in today.items():
            if call in new:
                yield from self.operation(place, new[call])
            elif other := next((other for other in come if self.alike(place, new[other])), None):
                come.remove(other)
                yield _about(place, "operation renamed", _name(place), _name(new[other]))
            else:
                yield _about(place, "operation removed", _name(place), None)
        for call in come:
            yield _about(new[call], "operation added", None, _name(new[call]))

    def alike(self, today: tuple[str, str], new: tuple[str, str]) -> bool:
        """Tell whether two operations take and answer the same."""
        inner = _Walk(*self.documents, self.readers)
        return all(found.turn == "words" or found.what == "operationId" for found in inner.operation(today, new))

    def operation(self, today: tuple[str, str], new: tuple[str, str]) -> Found:
        """Compare two operations, each given as (method, path)."""
        place = _name(today)
        items = [
            resolved(document, document["paths"][path])
            for document, (_, path) in zip(self.documents, (today, new), strict=True)
        ]
        first, second = items[0][today[0]], items[1][new[0]]
        yield from self.servers(f"{place} (path)", items[0].get("servers"), items[1].get("servers"))
        yield from self.servers(place, first.get("servers"), second.get("servers"))
        if "security" in first or "security" in second:
            named = (
                node.get("security", doc.get("security"))
                for node, doc in zip((first, second), self.documents, strict=True)
            )
            yield from self.security(place, *named)
        paths = (today[1], new[1])
        yield from self.parameters(
            place, *(self.named(index, paths[index], items[index], node) for index, node in enumerate((first, second)))
        )
        yield from self.body(f"{place} body", first.get("requestBody"), second.get("requestBody"))
        yield from self.answers(place, first.get("responses", {}), second.get("responses", {}))
        if first.get("operationId") != second.get("operationId"):
            yield Difference("call", place, "operationId", "named", first.get("operationId"), second.get("operationId"))
        folders = [(node.get("tags") or [None])[0] for node in (first, second)]
        if folders[0] != folders[1]:
            yield Difference("call", place, "tag", "named", *folders)
        yield from self.raw("answer", place, "notice", first.get("callbacks", {}), second.get("callbacks", {}))
        words = ("summary", "description", "deprecated", "externalDocs", "tags", "links")
        handled = ("servers", "security", "parameters", "requestBody", "responses", "operationId", "callbacks")
        yield from self.rest("call", place, words, handled, first, second)
        yield from self.rest("call", f"{place} (path)", words, {"servers", "parameters", *METHODS}, *items)

    def named(self, index: int, path: str, *parts: Document) -> Document:
        """Return the parameters of a path and an operation; one in the path is known by its position."""
        positions = re.findall(r"\{([^}]*)\}", path)
        found = {}
        for given in (given for part in parts for given in part.get("parameters", [])):
            parameter = resolved(self.documents[index], given)
            name = parameter["name"]
            if parameter["in"] == "path" and name in positions:
                name = positions.index(name) + 1
            found[f"{parameter['in']} parameter {name}"] = parameter
        return found

    def parameters(self, place: str, today: Document, new: Document) -> Found:
        """Compare the parameters."""
        for name in dict.fromkeys([*today, *new]):
            where = f"{place}.{name}"
            yield from self.field("request", where, today.get(name), new.get(name))
            if name in today and name in new:
                first, second = today[name], new[name]
                if first["name"] != second["name"]:
                    yield Difference("request", where, "name", "named", first["name"], second["name"])
                yield from self.rest("request", where, ANNOTATIONS, ("schema", "required", "name", "in"), first, second)

    def body(self, place: str, today: Any, new: Any) -> Found:
        """Compare what is sent."""
        first, second = self.both(today, new)
        if first is None or second is None:
            if first is not second:
                turn = "narrowed" if second is None or second.get("required") else "widened"
                yield Difference("request", place, "body", turn, _kinds(first), _kinds(second))
            return
        yield from required("request", place, first, second)
        yield from self.content("request", place, first.get("content", {}), second.get("content", {}))
        yield from self.rest("request", place, ANNOTATIONS, ("content", "required"), first, second)

    def answers(self, place: str, today: Document, new: Document) -> Found:
        """Compare what may be answered."""
        for code in dict.fromkeys([*today, *new]):
            where = f"{place} {code}"
            if code not in new:
                turn = "success removed" if code.startswith("2") else "code removed"
                yield Difference("answer", where, "answer", turn, code, None)
            elif code not in today:
                yield Difference("answer", where, "answer", "code added", None, code)
            elif not self.known("answer", today[code], new[code]):
                first, second = self.both(today[code], new[code])
                where = name_of(new[code]) or name_of(today[code]) or where
                yield from self.content("answer", where, first.get("content", {}), second.get("content", {}))
                yield from self.raw("answer", where, "header", first.get("headers", {}), second.get("headers", {}))
                words = (*ANNOTATIONS, "links")
                yield from self.rest("answer", where, words, ("content", "headers"), first, second)

    def content(self, side: str, place: str, today: Document, new: Document) -> Found:
        """Compare the kinds of content, and each one's schema."""
        for kind in dict.fromkeys([*today, *new]):
            if kind not in new:
                yield Difference(side, place, "content type", "changed", kind, None)
            elif kind not in today:
                yield Difference(side, place, "content type", "widened", None, kind)
            else:
                where = place if kind == "application/json" else f"{place} ({kind})"
                first, second = today[kind], new[kind]
                yield from self.schema(side, where, first.get("schema"), second.get("schema"))
                yield from self.rest(side, where, ANNOTATIONS, ("schema",), first, second)


def _address(server: Document) -> str | None:
    """Return the URL of a server, with each variable's default in it."""
    url = server.get("url")
    for name, variable in (server.get("variables") or {}).items():
        url = url and url.replace(f"{{{name}}}", str(variable.get("default")))
    return url


def _used(document: Document) -> set[tuple[str, str]]:
    """Return (section, name) of each component that an operation leads to."""
    found: set[tuple[str, str]] = set()
    nodes = [document.get("paths", {}), document.get("webhooks", {})]
    while nodes:
        for _, reference in references(nodes.pop()):
            part = tuple(reference.split("/")[2:4])
            if len(part) == 2 and part not in found:
                found.add((part[0], part[1]))
                nodes.append(document["components"][part[0]][part[1]])
    return found


def _kinds(body: Any) -> list[str] | None:
    return None if body is None else sorted(body.get("content", {}))


def _name(place: tuple[str, str]) -> str:
    return f"{place[0].upper()} {place[1]}"


def _about(place: tuple[str, str], turn: str, today: str | None, new: str | None) -> Difference:
    return Difference("call", _name(place), "operation", turn, today, new)
