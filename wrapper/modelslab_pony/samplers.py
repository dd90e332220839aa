"""Sampler names that people know, and the three fields that each one sets.

Names as in Automatic1111, ComfyUI and Civitai; schedulers and the ones that honour Karras
sigmas as on the vendor's Pony scheduler page.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

_SDE = "sde-dpmsolver++"
_HONOUR_KARRAS = frozenset(
    f"{name}Scheduler"
    for name in ("DPMSolverMultistep", "DPMSolverSinglestep", "KDPM2Discrete", "KDPM2AncestralDiscrete", "LMSDiscrete")
)


@frozen(kw_only=True)
class Sampler:
    """The request fields that a sampler name stands for."""

    scheduler: str
    """The service's name of it, which ends in `Scheduler`."""
    algorithm_type: str | None
    """None is left out of the request: the scheduler has no algorithm type."""
    use_karras_sigmas: bool
    """Whether noise levels are those of Karras et al."""


def _sampler(scheduler: str, algorithm_type: str | None = None, *, karras: bool = False) -> Sampler:
    return Sampler(scheduler=f"{scheduler}Scheduler", algorithm_type=algorithm_type, use_karras_sigmas=karras)


def _with_karras(name: str, scheduler: str, algorithm_type: str | None = None) -> dict[str, Sampler]:
    return {
        name: _sampler(scheduler, algorithm_type),
        f"{name} Karras": _sampler(scheduler, algorithm_type, karras=True),
    }


SAMPLERS: Mapping[str, Sampler] = {
    "Euler": _sampler("EulerDiscrete"),
    "Euler a": _sampler("EulerAncestralDiscrete"),
    **_with_karras("LMS", "LMSDiscrete"),
    "Heun": _sampler("HeunDiscrete"),
    **_with_karras("DPM2", "KDPM2Discrete"),
    **_with_karras("DPM2 a", "KDPM2AncestralDiscrete"),
    **_with_karras("DPM++ 2M", "DPMSolverMultistep"),
    **_with_karras("DPM++ 2M SDE", "DPMSolverMultistep", _SDE),
    # The service has no third-order SDE solver; this is the nearest.
    **_with_karras("DPM++ 3M SDE", "DPMSolverMultistep", _SDE),
    **_with_karras("DPM++ SDE", "DPMSolverSinglestep", _SDE),
    "DDIM": _sampler("DDIM"),
    "DDPM": _sampler("DDPM"),
    "PLMS": _sampler("PNDM"),
    "PNDM": _sampler("PNDM"),
    "UniPC": _sampler("UniPCMultistep"),
    "DEIS": _sampler("DEISMultistep"),
    "LCM": _sampler("LCM"),
    "IPNDM": _sampler("IPNDM"),
}
"""What each name stands for; `pony samplers` prints them."""

_BY_FOLDED = {name.casefold(): name for name in SAMPLERS}


def canonical(name: str) -> str | None:
    """Return a sampler's name as it is written here, given in any case and spacing; None for none."""
    return _BY_FOLDED.get(" ".join(name.split()).casefold())


def find(name: str) -> Sampler | None:
    """Return the sampler of that name, in any case and spacing, or None."""
    known = canonical(name)
    return SAMPLERS[known] if known else None


def suggestions(name: str) -> list[str]:
    """Return up to three names that look like a mistyped one, or like one in ComfyUI's spelling."""
    from difflib import get_close_matches  # noqa: PLC0415 - needed only for this

    folded = name.casefold().replace("_", " ").replace("dpmpp", "dpm++").replace("ancestral", "a")
    return [_BY_FOLDED[near] for near in get_close_matches(folded, _BY_FOLDED, n=3)]


def honours_karras(scheduler: object) -> bool:
    """Tell whether a scheduler does anything with `use_karras_sigmas` (vendor's Pony scheduler page)."""
    return isinstance(scheduler, str) and scheduler in _HONOUR_KARRAS


def name_of(scheduler: str, algorithm_type: str | None, *, karras: bool) -> str:
    """Return the sampler name for three request fields; the scheduler's own name where there is none."""
    # Only DPM solvers have an algorithm type; the others are sent the default and ignore it.
    algorithm = algorithm_type if "DPMSolver" in scheduler and algorithm_type != "no" else None
    wanted = Sampler(
        scheduler=scheduler, algorithm_type=algorithm, use_karras_sigmas=karras and honours_karras(scheduler)
    )
    return next((name for name, sampler in SAMPLERS.items() if sampler == wanted), scheduler)
