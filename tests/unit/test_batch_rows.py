"""What a batch reads: three formats, checked row by row, and the same digest for the same picture."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, cast

import pytest

from modelslab_pony import ImageToImage, Inpaint, InvalidRequestError, TextToImage
from modelslab_pony._redact import Redactor
from modelslab_pony.batch import _rows
from modelslab_pony.batch._inputs import Inputs
from modelslab_pony.batch._rows import Checked, Format, Problem, Row
from modelslab_pony.requests import Request
from support.both import KEY
from support.pictures import PICTURE, picture

URL = "https://images.example/a1.png"
Check = Callable[..., list[Checked]]


@pytest.fixture
def check(tmp_path: Path) -> Check:
    inputs = Inputs(tmp_path / "inputs")

    def call(rows: Iterable[Row | Problem], *, strict: bool = True) -> list[Checked]:
        return list(_rows.check(rows, inputs, strict=strict, redactor=Redactor(KEY)))

    return call


def read(text: str, kind: Format, **options: Any) -> list[Row | Problem]:
    return list(_rows.read(io.StringIO(text, newline=""), kind, **options))


def rows(text: str, kind: Format, **options: Any) -> list[Row]:
    found = read(text, kind, **options)
    assert all(isinstance(row, Row) for row in found), found
    return cast("list[Row]", found)


def problem(text: str, kind: Format, **options: Any) -> tuple[str, dict[str, list[str]]]:
    (found,) = (row for row in read(text, kind, **options) if isinstance(row, Problem))
    return found.place, {name: list(texts) for name, texts in found.errors.items()}


def jsonl(*given: Any) -> str:
    return "".join(f"{json.dumps(one)}\n" for one in given)


# --- formats -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.jsonl", "jsonl"),
        ("a.NDJSON", "jsonl"),
        ("a.Csv", "csv"),
        ("a.txt", "lines"),
        ("prompts", "lines"),
        ("a.csv.txt", "lines"),
    ],
)
def test_a_file_s_name_says_its_format(name: str, kind: str) -> None:
    """In any case of letters; what is not known has a prompt on each line."""
    assert _rows.format_of(Path(name)) == kind


def test_a_format_that_there_is_not_is_refused() -> None:
    """With the ones that there are."""
    with pytest.raises(InvalidRequestError, match="format must be one of jsonl, csv, lines, not 'xml'"):
        read("a\n", cast("Format", "xml"))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"prompt": "a fox"}\n\n  \n{"prompt": "an owl"}\n', "jsonl"),
        ("a fox\n\n  \n an owl ", "lines"),
        ('prompt\na fox\n\n  \n"an owl"\n', "csv"),
        ("prompt\r\na fox\r\n\r\n\r\nan owl\r\n", "csv"),
    ],
)
def test_every_format_has_the_same_rows(text: str, kind: Format) -> None:
    """Blank ones are skipped; the number counts rows, the line is that of the file."""
    first, second = rows(text, kind)
    assert (first.request, second.request) == (TextToImage("a fox"), TextToImage("an owl"))
    lines = (2, 5) if kind == "csv" else (1, 4)
    assert first.place == ("row 1" if lines[0] == 1 else f"row 1 (line {lines[0]})")
    assert second.place == f"row 2 (line {lines[1]})"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "is no JSON that can be read"),
        ('{"prompt": "a"} x', "is no JSON that can be read"),
        ('{"prompt": "a", "guidance_scale": NaN}', "NaN is no JSON"),
        ('{"prompt": "a", "seed": Infinity}', "Infinity is no JSON"),
        ('{"prompt": "a", "seed": 1, "seed": 2}', "seed is given twice"),
        ('{"prompt": "a", "extra": {"b": 1, "b": 2}}', "b is given twice"),
        ("[" * 200_000, "nested too deeply"),
        ("[1]", "must be a JSON object"),
        ("null", "must be a JSON object"),
        ('"a fox"', "must be a JSON object"),
    ],
)
def test_a_line_that_is_no_object_is_named(line: str, why: str) -> None:
    """By its row, and the rows beside it are read all the same."""
    found = read(f'{{"prompt": "a"}}\n{line}\n{{"prompt": "b"}}\n', "jsonl")
    assert [type(row) for row in found] == [Row, Problem, Row]
    assert isinstance(found[1], Problem)
    assert found[1].place == "row 2"
    assert why in found[1].errors["row"][0]


def test_a_csv_cell_becomes_the_value_of_its_field() -> None:
    """Numbers and flags are read, texts stay as they are, an empty cell is no value."""
    header = "prompt,seed,guidance_scale,safety_checker,use_karras_sigmas,negative_prompt,width,name"
    (row,) = rows(f'{header}\n" a, ""b""\nc", 7 ,5.5,No,1,,,007\n', "csv")
    assert row.name == "007"
    assert row.request == TextToImage(
        ' a, "b"\nc', seed=7, guidance_scale=5.5, safety_checker=False, use_karras_sigmas=True
    )
    assert isinstance(row.request.seed, int)


@pytest.mark.parametrize(
    ("name", "text"), [("seed", "1.5"), ("seed", "x"), ("guidance_scale", "much"), ("safety_checker", "maybe")]
)
def test_a_csv_cell_that_is_no_such_value_is_named(name: str, text: str, check: Check) -> None:
    """With the text that stands there, not with an error of Python's."""
    with pytest.raises(InvalidRequestError, match=rf"row 1 \(line 2\): {name} must be .*'{text}'"):
        check(read(f"prompt,{name}\na,{text}\n", "csv"))


def test_a_csv_row_may_be_short_and_not_long() -> None:
    """Missing cells are empty; a cell too many is a comma that somebody forgot to quote."""
    (row,) = rows("prompt,seed\na\n", "csv")
    assert row.request == TextToImage("a")
    place, errors = problem("prompt,seed\na,b,7\n", "csv")
    assert (place, errors) == ("row 1 (line 2)", {"row": ["has 3 cells, and the header has 2"]})


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ("", "is missing"),
        ("\n", "is missing"),
        ("prompt,sede", "names no field: 'sede'"),
        ("prompt,", "names no field: ''"),
        ("a fox in the snow", "names no field"),
        ("prompt,seed, prompt", "names a field twice: prompt"),
        ('"prompt', "cannot be read as CSV"),
    ],
)
def test_a_csv_header_names_fields(header: str, why: str) -> None:
    """Each once; a file without a header is told from one with it."""
    with pytest.raises(InvalidRequestError, match=why) as raised:
        read(f"{header}\na\n" if header.strip() else header, "csv")
    assert list(raised.value.errors) == ["header"]


def test_a_csv_that_ends_within_quotes_is_not_read_on() -> None:
    """What follows an open quote may be anything."""
    first, second = read('prompt\na\n"b\nc\n', "csv")
    assert isinstance(first, Row)
    assert isinstance(second, Problem)
    assert second.place.startswith("row 2 (line ")
    assert "cannot be read as CSV" in second.errors["row"][0]


def test_fields_that_the_spec_does_not_know_have_columns_too() -> None:
    """`extra` is a JSON object, `extra.NAME` one of its fields, in JSON or as a plain text."""
    (row,) = rows('prompt,extra,extra.lora,extra.weight,extra.tags\na,"{""b"": 1}",x y,0.5,[1]\n', "csv")
    assert row.request.extra == {"b": 1, "lora": "x y", "weight": 0.5, "tags": [1]}
    _, errors = problem("prompt,extra\na,5\n", "csv")
    assert "must be a JSON object" in errors["extra"][0]


def test_text_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    """The whole file, with the line before which all was well; nothing is guessed."""
    path = tmp_path / "a.txt"
    path.write_bytes(b"a fox\n" * 3 + b"caf\xe9\n")
    with _rows.opened(path) as file, pytest.raises(InvalidRequestError, match=r"is not UTF-8 after line [0-3] "):
        list(_rows.read(file, "lines"))


@pytest.mark.parametrize("kind", ["jsonl", "csv", "lines"])
def test_a_byte_order_mark_is_no_part_of_the_first_row(kind: Format, tmp_path: Path) -> None:
    """Spreadsheets write one."""
    path = tmp_path / "rows"
    text = {"jsonl": '{"prompt": "a"}', "csv": "prompt\na", "lines": "a"}[kind]
    path.write_text(text, "utf-8-sig")
    with _rows.opened(path) as file:
        (row,) = _rows.read(file, kind)
    assert isinstance(row, Row)
    assert row.request == TextToImage("a")


@pytest.mark.parametrize("name", ["nothing.txt", ".", "a\0b"])
def test_a_file_that_cannot_be_opened_is_named(name: str, tmp_path: Path) -> None:
    """As an error of ours, whatever the system says."""
    with pytest.raises(InvalidRequestError, match=r"input .* cannot be read"):
        _rows.opened(tmp_path / name)


# --- one row -----------------------------------------------------------------------------------


def test_a_row_may_name_its_operation() -> None:
    """Text to image, where it does not."""
    given = {"prompt": "a", "init_image": URL}
    found = rows(
        jsonl({"prompt": "a"}, {"op": "img2img", **given}, {"op": "inpaint", "mask_image": URL, **given}), "jsonl"
    )
    assert [type(row.request) for row in found] == [TextToImage, ImageToImage, Inpaint]


@pytest.mark.parametrize("op", ["fetch", "", 1, None, ["text2img"], {}])
def test_an_operation_that_there_is_not_is_refused(op: object) -> None:
    """Whatever JSON has in its place."""
    _, errors = problem(jsonl({"op": op, "prompt": "a"}), "jsonl")
    assert errors["op"][0].startswith("must be one of text2img, img2img, inpaint, not ")


@pytest.mark.parametrize("name", ["x" * 201, True, 1.5, [], {}])
def test_a_name_is_a_short_text(name: object) -> None:
    """Nothing else could be part of a file's name."""
    _, errors = problem(jsonl({"name": name, "prompt": "a"}), "jsonl")
    assert "must be a text of at most 200 characters" in errors["name"][0]


@pytest.mark.parametrize(("name", "kept"), [("x" * 200, "x" * 200), (17, "17"), (None, None)])
def test_a_name_may_be_a_number(name: object, kept: str | None) -> None:
    """Whoever numbers rows in JSON writes no quotes."""
    (row,) = rows(jsonl({"name": name, "prompt": "a"}), "jsonl")
    assert row.name == kept


def test_a_field_that_there_is_not_is_named_with_the_near_one() -> None:
    """In the row where it stands."""
    place, errors = problem(jsonl({"prompt": "a"}, {"promt": "b"}), "jsonl")
    assert place == "row 2"
    assert "did you mean 'prompt'" in errors["promt"][0]
    assert errors["prompt"] == ["must be given"]


def test_defaults_are_for_rows_without_their_own() -> None:
    """The operation as well; a row's own value wins."""
    defaults = {"op": "img2img", "init_image": URL, "seed": 1}
    first, second, third = rows(
        jsonl({"prompt": "a"}, {"prompt": "b", "seed": 2}, {"prompt": "c", "seed": None}), "jsonl", defaults=defaults
    )
    assert first.request == ImageToImage("a", URL, seed=1)
    assert second.request == ImageToImage("b", URL, seed=2)
    assert third.request == ImageToImage("c", URL)


def test_defaults_are_values_of_their_fields() -> None:
    """`--set` has texts, as CSV has."""
    given = ["seed=7", "guidance_scale = 5", "safety_checker=no", "negative_prompt=a=b", "extra.lora=x", "extra.w=2"]
    (row,) = _rows.read(["a\n"], "lines", defaults=_rows.default_fields(given))
    assert isinstance(row, Row)
    assert row.request == TextToImage(
        "a", seed=7, guidance_scale=5.0, safety_checker=False, negative_prompt="a=b", extra={"lora": "x", "w": 2}
    )


@pytest.mark.parametrize("text", ["seed", "=7", ""])
def test_a_default_has_a_name_and_a_value(text: str) -> None:
    """Else it is named as it was given."""
    with pytest.raises(InvalidRequestError, match="set must be NAME=VALUE, not"):
        _rows.default_fields([text])


def test_paths_are_relative_to_the_file_of_the_rows(check: Check, tmp_path: Path) -> None:
    """URLs and whole paths stay; the ledger keeps paths that hold in any folder."""
    (tmp_path / "a.png").write_bytes(PICTURE)
    whole = str(tmp_path / "a.png")
    given = (
        {"op": "img2img", "prompt": "a", "init_image": image} for image in ("a.png", whole, URL, "HTTPS://x.example/a")
    )
    found = rows(jsonl(*given), "jsonl", folder=tmp_path)
    images = [row.request.init_image for row in found if isinstance(row.request, ImageToImage)]
    assert images == [whole, whole, URL, "HTTPS://x.example/a"]
    assert json.loads(check(found)[0].document)["fields"]["init_image"] == whole


# --- a program's requests ----------------------------------------------------------------------


def test_a_program_gives_requests_or_their_fields() -> None:
    """Both are rows, numbered from 1; a mapping is not changed."""
    mapping = {"prompt": "b", "op": "text2img", "name": "n"}
    first, second = _rows.of_requests([TextToImage("a", seed=1), mapping])
    assert first == Row(place="row 1", name=None, request=TextToImage("a", seed=1))
    assert second == Row(place="row 2", name="n", request=TextToImage("b"))
    assert mapping == {"prompt": "b", "op": "text2img", "name": "n"}


@pytest.mark.parametrize("given", ["a fox", 5, None, ["a"]])
def test_what_is_no_request_is_named(given: Any) -> None:
    """By its row; the others are looked at all the same."""
    first, second = _rows.of_requests([given, {"prompt": "a"}])
    assert isinstance(first, Problem)
    assert first.place == "row 1"
    assert first.errors["row"][0].startswith("must be a request or a mapping")
    assert isinstance(second, Row)


# --- the check ---------------------------------------------------------------------------------


def test_every_mistake_is_told_at_once(check: Check) -> None:
    """By row and field; nothing of the batch may be sent then."""
    given = jsonl({"prompt": "a"}, {"prompt": "", "width": 1000}, {"prompt": "b", "extra": {"key": "x"}}) + "{\n"
    with pytest.raises(InvalidRequestError, match=r"3 of 4 rows cannot be sent: .*Nothing was sent\.$") as raised:
        check(read(given, "jsonl"))
    assert set(raised.value.errors) == {"row 2: prompt", "row 2: width", "row 3: extra.key", "row 4: row"}
    assert "row 2: width must be" in str(raised.value)


def test_the_good_rows_come_before_the_error(tmp_path: Path) -> None:
    """Who writes them down does so in one transaction, and takes it back."""
    given = read(jsonl({"prompt": "a"}, {"prompt": ""}, {"prompt": "b"}), "jsonl")
    found = _rows.check(given, Inputs(tmp_path), strict=True, redactor=Redactor(KEY))
    assert json.loads(next(found).document)["fields"] == {"prompt": "a"}
    assert json.loads(next(found).document)["fields"] == {"prompt": "b"}
    with pytest.raises(InvalidRequestError, match="1 of 3 rows"):
        next(found)


@pytest.mark.parametrize(("count", "said"), [(50, False), (51, True)])
def test_a_thousand_mistakes_are_counted(count: int, said: bool, check: Check) -> None:
    """Fifty are named: a screen holds no more."""
    with pytest.raises(InvalidRequestError, match=f"^{count} of {count} rows") as raised:
        check(read(jsonl(*({"prompt": ""} for _ in range(count))), "jsonl"))
    assert len(raised.value.errors) == 50
    assert ("and 1 more rows" in str(raised.value)) is said


@pytest.mark.parametrize(("text", "kind"), [("", "lines"), ("\n \n", "jsonl"), ("prompt\n\n", "csv")])
def test_no_rows_are_a_mistake(text: str, kind: Format, check: Check) -> None:
    """A batch of nothing is a wrong file."""
    with pytest.raises(InvalidRequestError, match="rows are missing"):
        check(read(text, kind))


def test_bounds_are_checked_if_that_is_wanted(check: Check) -> None:
    """`--no-strict` sends what the spec does not allow."""
    given = read(jsonl({"prompt": "a", "num_inference_steps": 99}), "jsonl")
    with pytest.raises(InvalidRequestError, match="row 1: num_inference_steps must be from 20 to 50, not 99"):
        check(given)
    assert len(check(given, strict=False)) == 1


@pytest.mark.parametrize(
    "row", [{"prompt": f"a {KEY}"}, {"prompt": "a", "name": KEY}, {"prompt": "a", "extra": {"b": [KEY]}}]
)
def test_the_api_key_gets_into_no_ledger(row: dict[str, Any], check: Check) -> None:
    """A row that holds it is refused, and the error does not repeat it."""
    with pytest.raises(InvalidRequestError, match="row 1: row holds the API key") as raised:
        check(read(jsonl(row), "jsonl"))
    assert KEY not in str(raised.value)


@pytest.mark.parametrize("image", ["missing.png", "", "text.png", "a\0b"])
def test_an_image_that_cannot_be_read_is_named(image: str, check: Check, tmp_path: Path) -> None:
    """Before anything is paid for."""
    (tmp_path / "text.png").write_text("no picture")
    row = {"op": "img2img", "prompt": "a", "init_image": image}
    with pytest.raises(InvalidRequestError) as raised:
        check(read(jsonl(row), "jsonl", folder=tmp_path))
    assert list(raised.value.errors) == ["row 1: init_image"]


@pytest.mark.parametrize(
    "request_",
    [
        TextToImage("a", seed=0, algorithm_type=None, extra={"b": [1, {"c": None}]}, safety_checker=False),
        TextToImage("\N{SNOWMAN} \x1b", width=2048, sampler="Euler a", use_karras_sigmas=None),
        ImageToImage("a", URL, strength=0, negative_prompt=""),
        Inpaint(init_image=URL, mask_image=URL, num_inference_steps=5),
    ],
)
def test_the_ledger_s_document_is_the_whole_request(request_: Request, check: Check) -> None:
    """Read back after a restart, it asks for the same."""
    (found,) = check(_rows.of_requests([request_]))
    assert _rows.request_of(json.loads(found.document)) == request_


# --- the digest --------------------------------------------------------------------------------


def digests(check: Check, *given: Any) -> list[str]:
    return [row.digest for row in check(_rows.of_requests(given))]


@pytest.mark.parametrize(
    "other",
    [
        {"prompt": "a", "name": "another"},
        {"prompt": "a", "width": 1024, "seed": None, "extra": {}, "op": "text2img"},
        TextToImage("a", samples=1),
    ],
)
def test_the_same_picture_has_the_same_digest(other: Any, check: Check) -> None:
    """Its name, and defaults that are written out, make no other picture."""
    first, second = digests(check, {"prompt": "a"}, other)
    assert first == second


@pytest.mark.parametrize(
    "other",
    [
        {"prompt": "b"},
        {"prompt": "a "},
        {"prompt": "a", "seed": 0},
        {"prompt": "a", "safety_checker": False},
        {"prompt": "a", "algorithm_type": None},
        {"prompt": "a", "extra": {"b": 1}},
        {"op": "inpaint", "prompt": "a", "init_image": URL, "mask_image": URL},
    ],
)
def test_another_picture_has_another_digest(other: Any, check: Check) -> None:
    """Whatever the service would make another picture of."""
    first, second = digests(check, {"prompt": "a"}, other)
    assert first != second


def test_the_order_of_fields_does_not_matter(check: Check) -> None:
    """A program that writes JSON may sort them."""
    one = {"prompt": "a", "seed": 1, "extra": {"b": 1, "c": 2}}
    first, second = digests(check, one, {"extra": {"c": 2, "b": 1}, "seed": 1, "prompt": "a"})
    assert first == second


def test_an_image_counts_by_its_content(check: Check, tmp_path: Path) -> None:
    """Moved, or given as bytes, it is the same; another picture in its file is another."""
    one, two = tmp_path / "one.png", tmp_path / "two.png"
    one.write_bytes(PICTURE)
    two.write_bytes(PICTURE)
    first, moved, in_memory = digests(check, *(ImageToImage("a", image) for image in (one, str(two), PICTURE)))
    assert first == moved == in_memory
    two.write_bytes(picture("PNG", (32, 32)))
    assert digests(check, ImageToImage("a", two)) != [first]


def test_two_images_do_not_change_places(check: Check, tmp_path: Path) -> None:
    """A mask for the image, and the image for the mask, is another picture."""
    one, two = tmp_path / "one.png", tmp_path / "two.png"
    one.write_bytes(PICTURE)
    two.write_bytes(picture("PNG", (32, 32)))
    first, second = digests(check, Inpaint(init_image=one, mask_image=two), Inpaint(init_image=two, mask_image=one))
    assert first != second


def test_bytes_are_kept_where_the_next_run_finds_them(check: Check, tmp_path: Path) -> None:
    """Once for each content, under its digest."""
    found = check(_rows.of_requests([ImageToImage("a", PICTURE), ImageToImage("b", PICTURE)]))
    (path,) = (tmp_path / "inputs").iterdir()
    assert path.read_bytes() == PICTURE
    documents = [json.loads(row.document) for row in found]
    assert {document["fields"]["init_image"] for document in documents} == {str(path)}
    assert {document["digests"]["init_image"] for document in documents} == {path.stem}


def test_many_images_are_read_and_few_kept_in_memory(tmp_path: Path) -> None:
    """A file that changes between two rows is read again."""
    inputs = Inputs(tmp_path)
    paths = [tmp_path / f"{number}.png" for number in range(9)]
    for number, path in enumerate(paths):
        path.write_bytes(picture("PNG", (16 + number, 16)))
    found = [inputs.load(path) for path in [*paths, *paths]]
    assert found[:9] == found[9:]
    assert len(inputs._loaded) == 4
    paths[0].write_bytes(picture("PNG", (99, 16)))
    assert inputs.load(paths[0]) != found[0]
