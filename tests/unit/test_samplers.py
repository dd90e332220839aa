"""Sampler names."""

from __future__ import annotations

import pytest

from modelslab_pony import samplers

# The schedulers that honour Karras sigmas, from the vendor's scheduler page.
HONOURS_KARRAS = {
    f"{name}Scheduler"
    for name in ("DPMSolverMultistep", "DPMSolverSinglestep", "KDPM2Discrete", "KDPM2AncestralDiscrete", "LMSDiscrete")
}


@pytest.mark.parametrize("name", samplers.SAMPLERS)
def test_a_name_says_whether_it_is_karras(name: str) -> None:
    """Karras is asked for by exactly the names that say so, and only of schedulers that honour it."""
    sampler = samplers.SAMPLERS[name]
    assert sampler.use_karras_sigmas == name.endswith("Karras")
    if sampler.use_karras_sigmas:
        assert sampler.scheduler in HONOURS_KARRAS


@pytest.mark.parametrize("name", ["euler A", "  Euler   a ", "EULER A"])
def test_case_and_spacing_do_not_matter(name: str) -> None:
    """People write these names in many ways."""
    assert samplers.find(name) == samplers.SAMPLERS["Euler a"]


def test_a_mistyped_name_gets_its_neighbours() -> None:
    """The nearest names, as they are written."""
    assert samplers.suggestions("DPM++ 2M Karas")[0] == "DPM++ 2M Karras"
