"""What must not be in a file that is passed on: the key, a URL with a token, a field with a secret name."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image
from PIL.ExifTags import IFD

from modelslab_pony import (
    ImageToImage,
    InvalidRequestError,
    TextToImage,
)
from modelslab_pony._private import may_be_kept, without_private_urls
from modelslab_pony._wire import prepare
from modelslab_pony.recipes import recipe_of
from support.both import KEY
from support.pictures import DONE, KINDS, PICTURE, URLS, picture, read_back, recipe_for, written

TOKENS: list[str] = [
    "https://hook.example/in?token=s3cr3t-s3cr3t",
    "https://user:s3cr3t-s3cr3t@hook.example/in",
    "https://hook.example/in#s3cr3t-s3cr3t",
    "https://hook.example/T02AB9X1/s3cr3tS3cr3tS3cr3t",
    "https://hook.example/s3cr3tSECRET123",
    "https://bucket.example/mom's%20photo.png?X-Amz-Signature=s3cr3ts3cr3t",
    "https://user:s3cr3t'@hook.example/in",
    "https://hook.example/a;token=s3cr3t/x.png",
    "https://s3cr3t7xk2q9v3m1lp.hook.example",
    "https://x.example/token/s3cr3t/a.png",
    "https://x.example/api_key=s3cr3t/a.png",
    "https://x.example/auth/s3cr3t-horse/a.png",
    "ftp://user:s3cr3t@x.example/a.png",
    "www.x.example/a.png?sig=s3cr3t",
    "//x.example/a.png?sig=s3cr3t",
    "https://hook.example/9f8a7c6d-5e4b-3a2f-1e0d-s3cr3ts3cr3t",
    "https://bucket.example/a.png?X-Amz-Signature=s3cr3ts3cr3t",
]
SECRET = "s3cr3t"


def told(content: bytes) -> str:
    """Every text in a file, however it is coded there."""
    with Image.open(io.BytesIO(content)) as opened:
        opened.load()
        exif = opened.getexif()
        inner = {name: bytes(value) for name, value in exif.get_ifd(IFD.Exif).items() if isinstance(value, bytes)}
        wide = inner.get(0x9286, b"")[8:].decode("utf-16-be", "replace")
        return content.decode("latin-1") + wide + repr(opened.info) + repr(inner)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("url", TOKENS)
def test_no_url_with_a_token_is_in_a_file(url: str, kind: str) -> None:
    """Wherever it was given; which fields were left out is said."""
    request = ImageToImage(
        f"like {url} but blue",
        url,
        negative_prompt=url,
        webhook=url,
        track_id=url,
        extra={"lora_url": url, "list": [{"deep": url}], "api_key": SECRET, "fine": 1},
    )
    content = written(request, picture(kind))
    assert SECRET not in told(content).casefold()
    recipe = read_back(content)
    assert set(recipe.omitted) == {
        *("prompt", "init_image", "negative_prompt", "webhook", "track_id"),
        *("extra.lora_url", "extra.list", "extra.api_key"),
    }
    assert "like [URL] but blue" in (recipe.parameters or "")
    with pytest.raises(InvalidRequestError, match=r"prompt was not kept in the file; give it again; init_image"):
        recipe.request()
    again = recipe.request(prompt="x", init_image="https://x.example/a.png")
    assert dict(again.extra) == {"fine": 1}


SECRETS = (
    "key api_key apiKey accessKey aws_access_key_id auth Authorization bearer pwd password client_secret signature "
    "cookie session_id token"
)


@pytest.mark.parametrize("name", SECRETS.split())
def test_no_field_with_a_secret_name_is_in_a_file(name: str) -> None:
    """Wherever it stands; one that only sounds like it may be left out, too."""
    request = TextToImage("x", extra={"lora": {"deep": [{name: SECRET}]}, f"my_{name}": SECRET})
    content = written(request, PICTURE)
    assert SECRET not in told(content)
    assert read_back(content).omitted == ("extra.lora", f"extra.my_{name}")


@pytest.mark.parametrize(
    "name",
    [
        "keyframe",
        "monkey",
        "lora_model",
        "upscale",
        "keyword_count",
        "author",
        "tokenizer",
        "token_merging",
        "max_tokens",
    ],
)
def test_a_harmless_field_is_kept(name: str) -> None:
    """Not every word with "key" in it is one."""
    assert dict(read_back(written(TextToImage("x", extra={name: "v"}), PICTURE)).request().extra) == {name: "v"}


def test_what_is_kept_is_what_was_sent() -> None:
    """A caller may go on with a dict that was given as `extra`; one nested too deep to be looked at is left out."""
    deep: Any = 1
    for _ in range(51):
        deep = [deep]
    extra = {"lora": {"name": "a"}, "deep": deep}
    request = TextToImage("x", extra=extra)
    prepared = prepare(request, {}, strict=True)
    extra["lora"]["name"] = "b"
    recipe = recipe_of(prepared, DONE, 0)
    assert (prepared.fields["lora"], recipe.options["extra"]) == ({"name": "a"}, {"lora": {"name": "a"}})
    assert recipe.omitted == ("extra.deep",)


@pytest.mark.parametrize("kind", KINDS)
def test_the_key_is_not_in_a_file(kind: str) -> None:
    """Should it have been pasted into a prompt; the rest is kept."""
    content = written(TextToImage(f"a lighthouse {KEY}", track_id=KEY), picture(kind))
    assert "planted" not in told(content)
    assert read_back(content).request().prompt == "a lighthouse [api key]"


@pytest.mark.parametrize(
    "webhook",
    ["https://hook.example/in/SECRET123", "https://hook.example/hooks/correcthorsebattery", "https://hook.example/a/7"],
)
def test_a_webhook_is_kept_only_if_it_has_room_for_no_token(webhook: str) -> None:
    """Many carry it in their path, and the picture does not depend on it."""
    content = written(TextToImage("x", webhook=webhook), PICTURE)
    assert webhook not in told(content)
    assert read_back(content).omitted == ("webhook",)
    assert read_back(content).request() == TextToImage("x")


@pytest.mark.parametrize("url", [*URLS, "https://upload.example/commons/a/a0/Lighthouse_in_2019.jpg"])
def test_a_plain_url_is_kept(url: str) -> None:
    """So that the request comes back whole."""
    request = ImageToImage("x", url, webhook="https://hook.example/pony/v2/made-it")
    assert read_back(written(request, picture("PNG"))).request() == request


def test_what_no_text_can_hold_is_left_out() -> None:
    """An image given as bytes or as a PIL image; one in base64, which is as long as the picture itself."""
    for image in (b"bytes", Image.new("RGB", (8, 8)), "iVBORw0KGgo" * 20_000):
        recipe = recipe_for(ImageToImage("x", image))
        assert recipe.omitted == ("init_image",)
        with pytest.raises(InvalidRequestError, match="init_image was not kept"):
            recipe.request()
        assert recipe.request(init_image="a.png") == ImageToImage("x", "a.png")


SECRET_FIELDS: list[tuple[str, Any]] = [
    ("api_key", "abc"),
    ("apikey", "abc"),
    ("hf_token", "abc"),
    ("client_secret", "abc"),
    ("password", "abc"),
    ("credentials", "abc"),
    ("Authorization", "Bearer abc"),
    ("authorisation", "abc"),
    ("storage", {"bucket": "b", "token": "abc"}),
    ("list", [{"deep": {"secret": "abc"}}]),
    ("url", "HTTPS://hook.example/in?token=abc"),
    ("url", "https://[hook.example/in?token=abc"),
    ("url", "https://hook.example/xq7Zt0aB9kLm"),
    ("url", "https://hook.example/AbcdeFghij7klmn"),
    ("url", "https://hook.example/ab-12-cd-34-ef"),
    ("url", "https://hook.example/" + "abcdefgh" * 4),
    ("urls", ["https://hook.example/in?token=abc"]),
]


@pytest.mark.parametrize(("name", "value"), SECRET_FIELDS, ids=range(len(SECRET_FIELDS)))
def test_a_field_that_may_let_somebody_in_is_not_kept(name: str, value: Any) -> None:
    """By its name at any depth, or by a URL however it is written; the field is named."""
    recipe = recipe_for(TextToImage("x", extra={name: value, "fine": 1}))
    assert recipe.omitted == (f"extra.{name}",)
    assert dict(recipe.options["extra"]) == {"fine": 1}


def test_a_long_word_is_read_once() -> None:
    """A prompt may be one word of any length, and is looked at for each file."""
    for text in ("x" * 100_000, "a." * 50_000, "a+" * 50_000):
        assert may_be_kept("prompt", text)
    assert without_private_urls(f"{'x' * 100} https://u:p@h.example/a") == f"{'x' * 100} [URL]"
