"""Contains all the data models used in inputs/outputs"""

from .base_64_to_url_request import Base64ToUrlRequest
from .base_64_to_url_response import Base64ToUrlResponse
from .base_64_to_url_response_status import Base64ToUrlResponseStatus
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
from .image_to_image_request import ImageToImageRequest
from .image_to_image_request_safety_checker import ImageToImageRequestSafetyChecker
from .image_to_image_request_use_karras_sigmas import ImageToImageRequestUseKarrasSigmas
from .inpaint_request import InpaintRequest
from .inpaint_request_safety_checker import InpaintRequestSafetyChecker
from .inpaint_request_use_karras_sigmas import InpaintRequestUseKarrasSigmas
from .key_request import KeyRequest
from .model_reload_request import ModelReloadRequest
from .model_reload_response import ModelReloadResponse
from .model_reload_response_status import ModelReloadResponseStatus
from .rate_limit_response import RateLimitResponse
from .rate_limit_response_status import RateLimitResponseStatus
from .request_count_response import RequestCountResponse
from .request_count_response_status import RequestCountResponseStatus
from .text_to_image_request import TextToImageRequest
from .text_to_image_request_safety_checker import TextToImageRequestSafetyChecker
from .text_to_image_request_use_karras_sigmas import TextToImageRequestUseKarrasSigmas
from .wallet_balance_response import WalletBalanceResponse
from .wallet_balance_response_data import WalletBalanceResponseData
from .wallet_balance_response_status import WalletBalanceResponseStatus

__all__ = (
    "Base64ToUrlRequest",
    "Base64ToUrlResponse",
    "Base64ToUrlResponseStatus",
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
    "ImageToImageRequest",
    "ImageToImageRequestSafetyChecker",
    "ImageToImageRequestUseKarrasSigmas",
    "InpaintRequest",
    "InpaintRequestSafetyChecker",
    "InpaintRequestUseKarrasSigmas",
    "KeyRequest",
    "ModelReloadRequest",
    "ModelReloadResponse",
    "ModelReloadResponseStatus",
    "RateLimitResponse",
    "RateLimitResponseStatus",
    "RequestCountResponse",
    "RequestCountResponseStatus",
    "TextToImageRequest",
    "TextToImageRequestSafetyChecker",
    "TextToImageRequestUseKarrasSigmas",
    "WalletBalanceResponse",
    "WalletBalanceResponseData",
    "WalletBalanceResponseStatus",
)
