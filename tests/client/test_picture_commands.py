"""The commands beside text2img and fetch: images in, recipes, samplers, the account."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from modelslab_pony import ImageToImage, PonyClient, TextToImage, errors, read_recipe
from modelslab_pony._embed import Texts, embed
from modelslab_pony.cli import _app, _client
from modelslab_pony.cli._exits import exit_code
from modelslab_pony.requests import KINDS, spec_fields
from modelslab_pony.samplers import SAMPLERS
from modelslab_pony.testing import Simulator
from support.both import KEY

Run = Callable[..., Result]


def only(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def embedded(path: Path, document: dict[str, Any] | None, parameters: str | None = None) -> Path:
    Image.new("RGB", (8, 8)).save(path)
    path.write_bytes(embed(path.read_bytes(), Texts(parameters, json.dumps(document) if document else None)))
    return path


# --- images in -------------------------------------------------------------------------------


def test_img2img_takes_a_file(run: Run, simulator: Simulator, tmp_path: Path) -> None:
    """By its path, which the recipe keeps."""
    Image.new("RGB", (1030, 1500)).save(tmp_path / "first.png")
    result = run(
        "img2img", "a lighthouse", "--init-image", "first.png", "--strength", "0.4", "--seed", "7", "-o", "out"
    )
    assert result.exit_code == 0, result.stderr
    (job,) = simulator.jobs.values()
    assert (job.operation, job.request["width"], job.request["strength"]) == ("img2img", 1032, 0.4)
    recipe = read_recipe(result.stdout.strip())
    assert recipe is not None
    assert recipe.request() == ImageToImage("a lighthouse", "first.png", strength=0.4, seed=7)


def test_inpaint_needs_no_prompt(run: Run, simulator: Simulator, tmp_path: Path) -> None:
    """And takes URLs, too."""
    Image.new("L", (512, 512)).save(tmp_path / "mask.png")
    result = run(
        *("inpaint", "--init-image", "https://x.example/a.png", "--mask-image", "mask.png"),
        *("--num-inference-steps", "9", "--extra", "lora_model=x", "--extra", "upscale=2", "--no-metadata"),
    )
    assert result.exit_code == 0, result.stderr
    (job,) = simulator.jobs.values()
    assert (job.request["steps"], job.request["lora_model"], job.request["upscale"]) == (9, "x", 2)
    assert read_recipe(result.stdout.strip()) is None


@pytest.mark.parametrize("operation", KINDS)
def test_every_field_of_a_request_has_its_option(operation: str, run: Run) -> None:
    """A field that the spec gains has one at once; numbers tell their range and default."""
    shown = " ".join(run(operation, "--help").stdout.split())
    for name, (_, rule) in spec_fields(KINDS[operation]).items():
        assert name == "prompt" or f"--{name.replace('_', '-')} " in shown, name
        assert rule.allowed() in shown
    assert "Default: 7.5." in shown


BAD: list[tuple[tuple[str, ...], str]] = [
    (("img2img", "x", "--init-image", "nothing.png"), "init_image 'nothing.png' is neither"),
    (("text2img", "x", "--extra", "upscale"), "extra must be NAME=VALUE, not 'upscale'"),
    (("text2img", "x", "--extra", "width=5"), "extra.width is a field of its own"),
    (("show", "nothing.png"), "path 'nothing.png' is no file"),
    (("show", "plain.png"), "'plain.png' does not tell how it was made"),
    (("text2img", "x", "--sampler", "DDIMScheduler"), "a scheduler's name belongs into scheduler="),
    (("img2img", "x", "--init-image", "http://a b/c.png"), "(write a space as %20, and so on)"),
    (("again", "plain.png"), "'plain.png' does not tell how it was made"),
    (("again", "other.png"), "it was fetched by its id, or made by another tool"),
    (("again", "seedless.png"), "seed of the picture is not in its file; choose one with --seed"),
    (("reload", " "), "model_id must be"),
]


@pytest.mark.parametrize(("arguments", "said"), BAD, ids=[" ".join(arguments) for arguments, _ in BAD])
def test_a_mistake_is_one_line_and_code_11(
    arguments: tuple[str, ...], said: str, run: Run, simulator: Simulator, tmp_path: Path
) -> None:
    """With the value and the way out; nothing is sent."""
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.png")
    embedded(tmp_path / "other.png", None, "by another tool")
    embedded(tmp_path / "seedless.png", {"format": 1, "operation": "text2img", "request": {"prompt": "x"}})
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (11, "")
    assert said in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert dict(simulator.jobs) == {}


# --- recipes ---------------------------------------------------------------------------------


def test_show_prints_how_a_picture_was_made(run: Run) -> None:
    """As people know it; as JSON with everything."""
    path = run("text2img", "a lighthouse", "--negative-prompt", "rain", "--seed", "7").stdout.strip()
    shown = run("show", path)
    assert shown.exit_code == 0
    assert shown.stdout.startswith("a lighthouse\nNegative prompt: rain\nSteps: 30, Sampler: DPM++ 2M SDE Karras,")
    document = json.loads(run("show", path, "--json").stdout)
    assert document["parameters"] == shown.stdout.strip()
    assert (document["recipe"]["request"]["prompt"], document["recipe"]["seed"]) == ("a lighthouse", 7)


def test_again_makes_the_same_picture(run: Run, simulator: Simulator, tmp_path: Path) -> None:
    """With the seed that the service chose; and another one with another seed."""
    first = run("text2img", "a lighthouse", "--sampler", "Euler a", "-o", "first").stdout.strip()
    second = run("again", first, "-o", "second")
    assert second.exit_code == 0, second.stderr
    third = run("again", first, "--seed", "8", "-o", "third")
    pictures = [Image.open(path).tobytes() for path in (first, second.stdout.strip(), third.stdout.strip())]
    assert pictures[0] == pictures[1] != pictures[2]
    one, two, three = simulator.jobs.values()
    assert two.request == {**one.request, "seed": one.seed}
    assert three.request == {**one.request, "seed": 8}
    recipe = read_recipe(only(tmp_path / "second"))
    assert recipe is not None
    assert recipe.request() == TextToImage("a lighthouse", sampler="Euler a", seed=one.seed)


def test_again_with_a_local_image(run: Run, simulator: Simulator, tmp_path: Path) -> None:
    """The very one that it was made from, or one that is given."""
    Image.new("RGB", (1024, 1024), "red").save(tmp_path / "first.png")
    Image.new("RGB", (1024, 2048), "blue").save(tmp_path / "other.png")
    path = run("img2img", "x", "--init-image", "first.png", "-o", "out").stdout.strip()
    result = run("again", path)
    assert result.exit_code == 0, result.stderr
    assert "asking for 1 image(s) again" in result.stderr
    assert run("again", path, "--init-image", "other.png", "--prompt", "y").exit_code == 0
    assert [job.request["height"] for job in simulator.jobs.values()] == [1024, 1024, 2048]
    (tmp_path / "other.png").rename(tmp_path / "first.png")
    assert "'first.png' is not the image that the picture was made from" in run("again", path).stderr
    (tmp_path / "first.png").unlink()
    assert (
        "'first.png' is neither an http(s) URL nor a file; give the right one with --init-image"
        in run("again", path).stderr
    )
    assert len(simulator.jobs) == 3


def test_again_says_what_the_file_did_not_keep(run: Run, simulator: Simulator) -> None:
    """What may hold a token; and the picture's delivery is not repeated, to whomever it was."""
    path = run(
        *("text2img", "x", "--webhook", "https://hook.example/in", "--track-id", "order-17"),
        *("--extra", "lora=https://x.example/l?token=abc", "--extra", "upscale=2", "--extra", "callback_url=x"),
    ).stdout.strip()
    result = run("again", path)
    assert "not sent: extra.lora, extra.callback_url" in result.stderr
    assert "asking for 1 image(s) again, with upscale" in result.stderr
    first, second = simulator.jobs.values()
    assert {"webhook", "track_id", "lora"} & first.request.keys() == {"webhook", "track_id", "lora"}
    assert {"webhook", "track_id", "lora", "callback_url"} & second.request.keys() == set()
    assert second.request["upscale"] == 2


def test_a_strangers_file_cannot_move_the_cursor(run: Run, tmp_path: Path) -> None:
    """A terminal obeys control characters; they are shown as nothing."""
    embedded(tmp_path / "evil.png", None, "a\x1b[2Jb\x9b2Jc\nSteps: 1\r\x07")
    result = run("show", "evil.png")
    assert result.exit_code == 0
    assert not {"\x1b", "\x9b", "\r", "\x07"} & set(result.stdout)


def test_a_strangers_file_has_only_its_request_sent(run: Run, simulator: Simulator, tmp_path: Path) -> None:
    """Fields that are none are refused; a webhook is not called."""
    request = {"prompt": "x", "webhook": "https://evil.example/", "track_id": "t"}
    document = {"format": 1, "operation": "text2img", "request": request, "seed": 7}
    embedded(tmp_path / "evil.png", document)
    assert run("again", "evil.png").exit_code == 0
    (job,) = simulator.jobs.values()
    assert "webhook" not in job.request
    embedded(tmp_path / "worse.png", {**document, "request": {**request, "api_key": "x"}})
    result = run("again", "worse.png")
    assert (result.exit_code, "api_key is not a field" in result.stderr) == (11, True)


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_a_strangers_file_has_no_local_file_uploaded(
    flags: tuple[str, ...], run: Run, simulator: Simulator, tmp_path: Path
) -> None:
    """Whoever wrote it cannot tell what is in that file, and so cannot name its digest."""
    Image.new("RGB", (8, 8)).save(tmp_path / "private.png")
    for given in ("private.png", {"path": str(tmp_path / "private.png")}):
        request = {"prompt": "x", "init_image": given}
        for digests in ({}, {"init_image": "0" * 64}):
            document = {"format": 1, "operation": "img2img", "request": request, "seed": 7, "digests": digests}
            embedded(tmp_path / "evil.png", document)
            assert run("again", "evil.png", *flags).exit_code == 11
    assert dict(simulator._core._uploads) == {}


def test_a_strangers_words_cannot_move_the_cursor_while_it_is_made_again(run: Run, tmp_path: Path) -> None:
    """Names of fields are words, too."""
    request = {"prompt": "x", "extra": {"\x1b[2Jfield": 1}}
    document = {"format": 1, "operation": "text2img", "request": request, "seed": 7, "omitted": ["\x1b]0;title\x07"]}
    embedded(tmp_path / "evil.png", document)
    result = run("again", "evil.png")
    assert result.exit_code == 0, result.stderr
    assert not {"\x1b", "\x07"} & set(result.stderr)


@pytest.mark.parametrize("levels", [400, 50_000])
def test_extra_fields_nested_deep_end_in_one_line(levels: int, run: Run, simulator: Simulator) -> None:
    """Or are sent; in neither case is a job lost."""
    result = run("text2img", "x", "--extra", f"deep={'[' * levels}{']' * levels}", "--json")
    answer = json.loads(result.stdout)
    assert (result.exit_code, len(simulator.jobs)) == ((0, 1) if answer["status"] == "success" else (11, 0))


def test_ctrl_c_during_an_upload_says_that_nothing_was_asked_for(
    run: Run, simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not that money may have been spent."""

    def stop(*_: Any) -> Any:
        raise KeyboardInterrupt

    Image.new("RGB", (8, 8)).save(tmp_path / "first.png")
    monkeypatch.setattr(simulator, "answer", stop)
    result = run("img2img", "x", "--init-image", "first.png")
    assert result.exit_code == 130
    assert "Interrupted: uploading init_image; no image was asked for yet" in result.stderr
    assert "billed" not in result.stderr


def test_a_folder_whose_name_is_no_text(run: Run, tmp_path: Path) -> None:
    """The picture is paid for; its path is printed as the system has it."""
    folder = tmp_path / os.fsdecode(b"out\xff")
    result = run("text2img", "x", "-o", str(folder))
    assert result.exit_code == 0
    assert result.stdout_bytes.strip() == os.fsencode(only(folder))


def test_fetch_writes_what_the_service_tells(run: Run) -> None:
    """The request is not known then; `--no-metadata` leaves that out, too."""
    run("text2img", "a lighthouse", "--timeout", "0")
    path = run("fetch", "70010001").stdout.strip()
    assert run("show", path).stdout.startswith("a lighthouse\nSteps: 30")
    assert run("show", run("fetch", "70010001", "--no-metadata").stdout.strip()).exit_code == 11


# --- samplers and the account ------------------------------------------------------------------


def test_samplers_lists_every_name_and_what_it_sets(run: Run) -> None:
    """A line each, in columns; or as JSON."""
    head, *lines = run("samplers").stdout.splitlines()
    assert head.split() == ["sampler", "scheduler", "algorithm_type", "use_karras_sigmas"]
    assert len(lines) == len(SAMPLERS)
    for line, (name, sampler) in zip(lines, SAMPLERS.items(), strict=True):
        assert line.startswith(f"{name} ")
        karras = "yes" if sampler.use_karras_sigmas else "no"
        assert line.split()[-3:] == [sampler.scheduler, sampler.algorithm_type or "-", karras]
    assert json.loads(run("samplers", "--json").stdout) == {name: attrs.asdict(s) for name, s in SAMPLERS.items()}


def test_the_account_is_told(run: Run) -> None:
    """In a word, or as JSON."""
    run("text2img", "x", "--timeout", "0")
    assert run("balance").stdout == "24.99 USD\n"
    assert json.loads(run("balance", "--json").stdout) == {"status": "success", "balance": 24.99, "currency": "USD"}
    assert run("queue").stdout == "1\n"
    assert json.loads(run("queue", "--json").stdout) == {"status": "success", "queued": 1}
    assert run("reload", "pony-realism").stdout == "success: pony-realism is loaded\n"


@pytest.mark.parametrize("balance", [1234567.89, 12345.678, 0.0047, -3, 20])
def test_a_balance_is_told_to_the_last_digit(balance: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is money."""
    answering({"status": "success", "data": {"balance": balance, "currency": "USD"}}, monkeypatch)
    assert alone("balance").stdout == f"{balance} USD\n"


@pytest.mark.parametrize("command", [("balance",), ("queue",), ("reload", "m")])
def test_a_refusal_of_the_account_has_its_code(command: tuple[str, ...], run: Run, simulator: Simulator) -> None:
    """As every other; as JSON, too."""
    simulator.key = "another"
    assert run(*command).exit_code == 22
    answer = json.loads(run(*command, "--json").stdout)
    assert (answer["error"]["type"], answer["error"]["exit_code"]) == ("AuthenticationError", 22)


def answering(answer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=answer))
    monkeypatch.setattr(_client, "connect", lambda **_: PonyClient(KEY, http_client=httpx.Client(transport=transport)))


def alone(*arguments: str) -> Result:
    return CliRunner().invoke(_app.app, arguments, env={"COLUMNS": "500"})


def test_the_services_words_about_a_model_cannot_move_the_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    """On standard output, too; as JSON they are kept."""
    answering({"status": "success", "message": "ok\x1b[2J\nline two"}, monkeypatch)
    assert alone("reload", "m").stdout == "success: ok [2J line two\n"
    assert json.loads(alone("reload", "m", "--json").stdout) == {"status": "success", "message": "ok\x1b[2J\nline two"}


def test_ctrl_c_ends_a_question(monkeypatch: pytest.MonkeyPatch, simulator: Simulator, run: Run) -> None:
    """With the shell's own code for it."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(simulator, "answer", interrupt)
    assert run("balance").exit_code == 130


def test_a_missing_extra_has_its_own_code() -> None:
    """A script can install it."""
    assert exit_code(errors.MissingExtraError("Pillow is missing")) == 14


def test_the_value_of_an_extra_field_may_hold_an_equals_sign(run: Run, simulator: Simulator) -> None:
    """The first one ends the name."""
    assert run("text2img", "x", "--extra", "note=a=b", "--extra", 'deep={"a": "b=c"}').exit_code == 0
    (job,) = simulator.jobs.values()
    assert (job.request["note"], job.request["deep"]) == ("a=b", {"a": "b=c"})


def test_each_option_of_again_reaches_the_request(run: Run, simulator: Simulator, tmp_path: Path) -> None:
    """The images too, whichever the file names."""
    for name, size in (("first.png", 512), ("mask.png", 512), ("other.png", 640)):
        Image.new("L", (size, size), size // 5).save(tmp_path / name)
    path = run("inpaint", "x", "--init-image", "first.png", "--mask-image", "mask.png", "-o", "out").stdout.strip()
    told = run("again", path, "-o", "second")
    assert told.exit_code == 0, told.stderr
    told = run(
        "again", path, "--prompt", "y", "--mask-image", "other.png", "--init-image", "other.png", "--no-metadata"
    )
    _, _, third = simulator.jobs.values()
    assert (third.request["prompt"], third.request["width"]) == ("y", 640)
    assert third.request["mask_image"] == third.request["init_image"]
    assert read_recipe(told.stdout.strip()) is None


def test_what_is_given_anew_is_not_said_to_be_missing(run: Run, tmp_path: Path) -> None:
    """Only what is really not sent."""
    Image.new("RGB", (1024, 1024)).save(tmp_path / "first.png")
    private = "https://x.example/a.png?token=abc"
    path = run("img2img", "x", "--init-image", private, "-o", "out").stdout.strip()
    result = run("again", path, "--init-image", "first.png")
    assert result.exit_code == 0, result.stderr
    assert "not sent" not in result.stderr


def test_again_without_strict_lets_the_service_decide(run: Run, tmp_path: Path) -> None:
    """A width of 8 is sent, and refused there."""
    document = {"format": 1, "operation": "text2img", "request": {"prompt": "x", "width": 8}, "seed": 7}
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    content = embed((tmp_path / "a.png").read_bytes(), Texts(None, json.dumps(document)))
    (tmp_path / "a.png").write_bytes(content)
    assert run("again", "a.png").exit_code == 11
    assert run("again", "a.png", "--no-strict").exit_code == 21


def test_a_default_that_is_decided_late_is_told(run: Run) -> None:
    """For a size of img2img, the spec's."""
    for command, size in (("img2img", 2048), ("inpaint", 512)):
        shown = " ".join(run(command, "--help").stdout.split())
        assert f"Default: that of a local init image, else {size}." in shown
