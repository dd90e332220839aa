"""The commands beside text2img and fetch: images in, recipes, samplers, the account."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from PIL import Image
from typer.testing import Result

from modelslab_pony import ImageToImage, TextToImage, read_recipe
from modelslab_pony._embed import Texts, embed
from modelslab_pony.requests import KINDS, spec_fields
from modelslab_pony.samplers import SAMPLERS
from modelslab_pony.testing import Simulator

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
    (("img2img", "x", "--init-image", "nothing.png"), "init_image 'nothing.png' (str) is neither"),
    (("text2img", "x", "--extra", "upscale"), "extra must be NAME=VALUE, not 'upscale'"),
    (("text2img", "x", "--extra", "width=5"), "extra.width is a field of its own"),
    (("show", "nothing.png"), "path 'nothing.png' is no file"),
    (("show", "plain.png"), "'plain.png' does not tell how it was made"),
    (("again", "plain.png"), "'plain.png' does not tell how it was made"),
    (("again", "other.png"), "not made by this package"),
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
    assert "'first.png' (str) is neither an http(s) URL nor a file" in run("again", path).stderr
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
    assert "interrupted: uploading init_image; no image was asked for yet" in result.stderr
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


@pytest.mark.parametrize("command", [("balance",), ("queue",), ("reload", "m")])
def test_a_refusal_of_the_account_has_its_code(command: tuple[str, ...], run: Run, simulator: Simulator) -> None:
    """As every other; as JSON, too."""
    simulator.key = "another"
    assert run(*command).exit_code == 22
    answer = json.loads(run(*command, "--json").stdout)
    assert (answer["error"]["type"], answer["error"]["exit_code"]) == ("AuthenticationError", 22)
