"""What a client is told."""

from __future__ import annotations

from typing import Any

import pytest

from modelslab_pony import ConfigurationError, InvalidRequestError
from modelslab_pony._settings import DEFAULT_BASE_URL, Secret, Settings, checked_id, checked_in_flight, seconds


def test_arguments_come_before_the_environment_and_that_before_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Key and base URL each have three sources."""
    assert Settings.resolve(Secret("k"), Secret(None)).base_url == DEFAULT_BASE_URL
    monkeypatch.setenv("MODELSLAB_API_KEY", " from-env\n")
    monkeypatch.setenv("MODELSLAB_BASE_URL", "https://env.example/v6/")
    settings = Settings.resolve(Secret(None), Secret(None))
    assert (settings.key, settings.base_url) == ("from-env", "https://env.example/v6")
    assert Settings.resolve(Secret("mine"), Secret("https://arg.example")).base_url == "https://arg.example"


@pytest.mark.parametrize("key", [None, "", "  "])
def test_without_a_key_the_way_to_one_is_named(key: str | None) -> None:
    """Before anything is sent."""
    with pytest.raises(ConfigurationError, match="MODELSLAB_API_KEY"):
        Settings.resolve(Secret(key), Secret(None))


@pytest.mark.parametrize(
    "url",
    [
        "modelslab.com",
        "ftp://modelslab.com",
        "https://",
        "https://a.example:port",
        "https://[x",
        "https://a.example/?key=1",
        "https://a.example/#x",
        "https://a.example/v6 /images",
        "https://a.example/v6\u00a0/images",
        "https://a.example/\x00",
    ],
)
def test_a_base_url_that_cannot_be_one_is_refused(url: str) -> None:
    """The error shows what was given and what it should look like."""
    with pytest.raises(ConfigurationError, match="has to look like"):
        Settings.resolve(Secret("k"), Secret(url))


@pytest.mark.parametrize("key", ["sk-ключ-0123456789", "sk-planted\x00", "sk-planted\nsk-planted", "sk-pl\u00e4nted"])
def test_a_key_that_was_copied_badly_is_refused_and_not_repeated(key: str) -> None:
    """Not the service's word on it but ours, before anything is sent."""
    with pytest.raises(ConfigurationError, match="characters that no key has") as raised:
        Settings.resolve(Secret(key), Secret(None))
    assert "sk-" not in str(raised.value)


@pytest.mark.parametrize("spelling", ["sk-planted/0123", "sk-planted%2F0123", "sk-planted%2f0123"])
@pytest.mark.parametrize("place", ["https://a.example/{}", "https://a.example/?key={}", "https://{}@a.example", "{}"])
def test_a_base_url_that_holds_the_key_is_refused_and_not_repeated(place: str, spelling: str) -> None:
    """In either spelling: it would stand in every log of a proxy, and in our own errors."""
    with pytest.raises(ConfigurationError, match="holds the API key") as raised:
        Settings.resolve(Secret("sk-planted/0123"), Secret(place.format(spelling)))
    assert "planted" not in str(raised.value)


def test_what_may_be_a_key_in_the_place_of_the_base_url_is_not_repeated() -> None:
    """The two arguments are easily taken for each other."""
    with pytest.raises(ConfigurationError, match="has to look like") as raised:
        Settings.resolve(Secret("k"), Secret("sk-another-0123456789"))
    assert "another" not in str(raised.value)


@pytest.mark.parametrize("url", ["http://modelslab.com", "http://10.0.0.1", "http://127.evil.example"])
def test_the_key_is_not_sent_unencrypted(url: str) -> None:
    """http is for this machine only."""
    with pytest.raises(ConfigurationError, match="unencrypted"):
        Settings.resolve(Secret("k"), Secret(url))


@pytest.mark.parametrize("url", ["http://127.0.0.1:4010", "http://localhost:4010/x", "http://[::1]:4010"])
def test_http_to_this_machine_is_allowed(url: str) -> None:
    """A mock server has no certificate."""
    assert Settings.resolve(Secret("k"), Secret(url)).base_url == url


def test_the_key_is_not_shown() -> None:
    """Neither by repr nor by str."""
    settings = Settings.resolve(Secret("sk-planted-0123456789"), Secret(None))
    assert "planted" not in repr(settings) + str(settings)


@pytest.mark.parametrize("value", [-1, float("nan"), "5", True, object(), float("inf"), 1e13, 10**400])
def test_a_time_limit_is_a_number_of_seconds(value: Any) -> None:
    """The error names the argument."""
    with pytest.raises(InvalidRequestError, match="timeout must be"):
        seconds("timeout", value)


def test_no_time_limit_is_none() -> None:
    """And 0 is a limit."""
    assert (seconds("t", None), seconds("t", 0)) == (float("inf"), 0.0)


@pytest.mark.parametrize("value", ["", "  ", None, True, 1.5, b"7"])
def test_a_job_id_is_an_integer_or_a_text(value: Any) -> None:
    """The service gives both kinds."""
    assert (checked_id(7), checked_id(" abc ")) == (7, "abc")
    with pytest.raises(InvalidRequestError, match="id must be"):
        checked_id(value)


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "16"])
def test_at_least_one_call_may_be_in_flight(value: Any) -> None:
    """A gate of none would hang for ever."""
    with pytest.raises(ConfigurationError, match="max_in_flight"):
        checked_in_flight(value)


@pytest.mark.parametrize("url", ["https://u:hunter2@a.example", "https://:hunter2@a.example"])
def test_a_password_in_the_base_url_is_refused_and_not_repeated(url: str) -> None:
    """Neither in the error nor in a repr."""
    with pytest.raises(ConfigurationError, match="user name or password") as raised:
        Settings.resolve(Secret("k"), Secret(url))
    assert "hunter2" not in str(raised.value)
