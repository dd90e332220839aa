"""Contains all the data models used in inputs/outputs"""

from .fetch_request import FetchRequest
from .image_generation_error_response import ImageGenerationErrorResponse
from .image_generation_error_response_status import ImageGenerationErrorResponseStatus
from .image_generation_failed_response import ImageGenerationFailedResponse
from .image_generation_failed_response_status import ImageGenerationFailedResponseStatus
from .image_generation_processing_response import ImageGenerationProcessingResponse
from .image_generation_processing_response_meta import (
    ImageGenerationProcessingResponseMeta,
)
from .image_generation_processing_response_status import (
    ImageGenerationProcessingResponseStatus,
)
from .image_generation_success_response import ImageGenerationSuccessResponse
from .image_generation_success_response_meta import ImageGenerationSuccessResponseMeta
from .image_generation_success_response_status import (
    ImageGenerationSuccessResponseStatus,
)
from .rate_limit_response import RateLimitResponse
from .rate_limit_response_status import RateLimitResponseStatus
from .text_to_image_request import TextToImageRequest
from .text_to_image_request_safety_checker import TextToImageRequestSafetyChecker
from .text_to_image_request_use_karras_sigmas import TextToImageRequestUseKarrasSigmas

__all__ = (
    "FetchRequest",
    "ImageGenerationErrorResponse",
    "ImageGenerationErrorResponseStatus",
    "ImageGenerationFailedResponse",
    "ImageGenerationFailedResponseStatus",
    "ImageGenerationProcessingResponse",
    "ImageGenerationProcessingResponseMeta",
    "ImageGenerationProcessingResponseStatus",
    "ImageGenerationSuccessResponse",
    "ImageGenerationSuccessResponseMeta",
    "ImageGenerationSuccessResponseStatus",
    "RateLimitResponse",
    "RateLimitResponseStatus",
    "TextToImageRequest",
    "TextToImageRequestSafetyChecker",
    "TextToImageRequestUseKarrasSigmas",
)
