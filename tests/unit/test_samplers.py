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


NEAR = {
    "DPM++ 2M Karas": "DPM++ 2M Karras",
    "dpmpp_2m": "DPM++ 2M",
    "dpmpp_2m_sde_karras": "DPM++ 2M SDE Karras",
    "euler_ancestral": "Euler a",
    "Euler ancestral": "Euler a",
    "dpm++2m": "DPM++ 2M",
    "uni_pc": "UniPC",
    "Eular": "Euler",
}


@pytest.mark.parametrize("name", NEAR)
def test_a_mistyped_name_gets_its_neighbours(name: str) -> None:
    """The nearest names, as they are written; ComfyUI's spelling is a near one, too."""
    assert samplers.find(name) is None
    assert samplers.suggestions(name)[0] == NEAR[name]


@pytest.mark.parametrize("name", samplers.SAMPLERS)
def test_the_fields_lead_back_to_a_name(name: str) -> None:
    """To the same one, or to another that stands for the same fields."""
    sampler = samplers.SAMPLERS[name]
    found = samplers.name_of(sampler.scheduler, sampler.algorithm_type, karras=sampler.use_karras_sigmas)
    assert samplers.SAMPLERS[found] == sampler


# sampler → scheduler and algorithm type, as the vendor's scheduler page and the names' makers have them.
TABLE = """
Euler: EulerDiscrete | Euler a: EulerAncestralDiscrete | Heun: HeunDiscrete | DDIM: DDIM | DDPM: DDPM
LMS: LMSDiscrete | LMS Karras: LMSDiscrete | DPM2: KDPM2Discrete | DPM2 Karras: KDPM2Discrete
DPM2 a: KDPM2AncestralDiscrete | DPM2 a Karras: KDPM2AncestralDiscrete
DPM++ 2M: DPMSolverMultistep | DPM++ 2M Karras: DPMSolverMultistep
DPM++ 2M SDE: DPMSolverMultistep sde-dpmsolver++ | DPM++ 2M SDE Karras: DPMSolverMultistep sde-dpmsolver++
DPM++ 3M SDE: DPMSolverMultistep sde-dpmsolver++ | DPM++ 3M SDE Karras: DPMSolverMultistep sde-dpmsolver++
DPM++ SDE: DPMSolverSinglestep sde-dpmsolver++ | DPM++ SDE Karras: DPMSolverSinglestep sde-dpmsolver++
PLMS: PNDM | PNDM: PNDM | UniPC: UniPCMultistep | DEIS: DEISMultistep | LCM: LCM | IPNDM: IPNDM
"""


def test_each_name_stands_for_its_scheduler() -> None:
    """The whole table, as data."""
    expected = {}
    for entry in TABLE.replace("\n", "|").split("|"):
        if entry.strip():
            name, fields = entry.strip().split(": ")
            scheduler, *algorithm = fields.split()
            expected[name] = (f"{scheduler}Scheduler", algorithm[0] if algorithm else None)
    assert {name: (s.scheduler, s.algorithm_type) for name, s in samplers.SAMPLERS.items()} == expected
