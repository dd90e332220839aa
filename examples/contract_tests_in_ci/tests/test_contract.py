"""What the application sends, and what it makes of the answers, is what the spec says."""

from pathlib import Path
from typing import Any

import covers
import pytest
from PIL import Image

from modelslab_pony import APIError, PonyClient
from modelslab_pony.testing import Simulator, faults


@pytest.mark.parametrize("form", covers.FORMATS)
def test_each_cover_keeps_to_the_contract(form: str, pony: PonyClient, tmp_path: Path) -> None:
    """The whole way: submitted, asked about until it is done, saved."""
    with Image.open(covers.cover(pony, "The Old Lighthouse", form, tmp_path)) as picture:
        assert picture.size == covers.FORMATS[form]


def test_a_wrong_request_fails(pony: PonyClient, service: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prism says which field is wrong, and nothing of it reaches the service: the contract is no formality."""
    monkeypatch.setitem(covers.FORMATS, "bookmark", (256, 1024))
    asked = len(service.submissions)
    with pytest.raises(APIError) as refused:
        pony.submit(covers.request_for("The Old Lighthouse", "bookmark"))
    assert violations(refused.value) == ["Request body property width must be >= 1024"]
    assert len(service.submissions) == asked


def test_a_wrong_answer_fails(pony: PonyClient, service: Simulator) -> None:
    """A service that leaves its spec is found out as well, and not only where the application notices."""
    service.faults.add(faults.Reply(200, {"status": "success", "id": 1, "output": "cover.png"}), on="text2img")
    with pytest.raises(APIError) as refused:
        pony.submit(covers.request_for("The Old Lighthouse", "square"))
    assert "Response body property output must be array" in violations(refused.value)


def violations(error: APIError) -> list[str]:
    """Return what Prism found, from its answer."""
    found: list[dict[str, Any]] = error.body["validation"]
    return [violation["message"] for violation in found]
