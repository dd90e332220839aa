"""Images from ModelsLab's Pony models: `PonyClient`, `AsyncPonyClient`; imported when asked for (PEP 562)."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelslab_pony._pictures import read_recipe as read_recipe
    from modelslab_pony._snapshot import Balance as Balance, ModelStatus as ModelStatus
    from modelslab_pony._version import __version__ as __version__
    from modelslab_pony.async_client import AsyncJob as AsyncJob, AsyncPonyClient as AsyncPonyClient
    from modelslab_pony.client import Job as Job, PonyClient as PonyClient
    from modelslab_pony.errors import *  # noqa: F403 - __all__ names each
    from modelslab_pony.policies import PollPolicy as PollPolicy, RetryPolicy as RetryPolicy
    from modelslab_pony.recipes import Recipe as Recipe
    from modelslab_pony.requests import ImageToImage as ImageToImage, Inpaint as Inpaint, TextToImage as TextToImage
    from modelslab_pony.results import (
        AsyncGeneration as AsyncGeneration,
        AsyncImage as AsyncImage,
        AsyncJobStatus as AsyncJobStatus,
        Generation as Generation,
        Image as Image,
        JobStatus as JobStatus,
    )

_EXPORTS = {
    "_pictures": ("read_recipe",),
    "_snapshot": ("Balance", "ModelStatus"),
    "_version": ("__version__",),
    "async_client": ("AsyncJob", "AsyncPonyClient"),
    "client": ("Job", "PonyClient"),
    "errors": (
        *("APIError", "AuthenticationError", "BadRequestError", "ConfigurationError", "DownloadError"),
        *("GenerationFailed", "InsufficientCreditsError", "InvalidRequestError", "InvalidWebhookError", "JobTimeout"),
        *("MissingExtraError", "NotFoundError", "PermissionDeniedError", "PonyError", "RateLimitError", "ServerError"),
        *("SubmissionUnknown", "TransportError", "UnexpectedResponseError", "UnknownResponseError"),
        *("UnknownServerError", "UploadTimeout"),
    ),
    "policies": ("PollPolicy", "RetryPolicy"),
    "recipes": ("Recipe",),
    "requests": ("ImageToImage", "Inpaint", "TextToImage"),
    "results": ("AsyncGeneration", "AsyncImage", "AsyncJobStatus", "Generation", "Image", "JobStatus"),
}
_HOME = {name: module for module, names in _EXPORTS.items() for name in names}

__all__ = sorted(_HOME)  # noqa: PLE0605 - a list, which a test holds to the imports above


if not TYPE_CHECKING:  # or a misspelt name would pass for Any

    def __getattr__(name: str) -> Any:
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
        return globals()[name]


def __dir__() -> list[str]:
    return [*__all__, *(name for name in globals() if name not in __all__)]
