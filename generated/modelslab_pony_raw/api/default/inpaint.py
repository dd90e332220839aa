from http import HTTPStatus
from typing import Any

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.image_generation_error_response import ImageGenerationErrorResponse
from ...models.image_generation_failed_response import ImageGenerationFailedResponse
from ...models.image_generation_processing_response import (
    ImageGenerationProcessingResponse,
)
from ...models.image_generation_success_response import ImageGenerationSuccessResponse
from ...models.inpaint_request import InpaintRequest
from ...models.rate_limit_response import RateLimitResponse
from ...types import Response


def _get_kwargs(
    *,
    body: InpaintRequest,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/inpaint",
    }

    _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> (
    ImageGenerationErrorResponse
    | ImageGenerationFailedResponse
    | ImageGenerationProcessingResponse
    | ImageGenerationSuccessResponse
    | RateLimitResponse
    | None
):
    if response.status_code == 200:

        def _parse_response_200(
            data: object,
        ) -> (
            ImageGenerationErrorResponse
            | ImageGenerationFailedResponse
            | ImageGenerationProcessingResponse
            | ImageGenerationSuccessResponse
        ):
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                response_200_type_0 = ImageGenerationSuccessResponse.from_dict(data)

                return response_200_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                response_200_type_1 = ImageGenerationProcessingResponse.from_dict(data)

                return response_200_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                response_200_type_2 = ImageGenerationErrorResponse.from_dict(data)

                return response_200_type_2
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            if not isinstance(data, dict):
                raise TypeError()
            response_200_type_3 = ImageGenerationFailedResponse.from_dict(data)

            return response_200_type_3

        response_200 = _parse_response_200(response.json())

        return response_200

    if response.status_code == 400:
        response_400 = ImageGenerationErrorResponse.from_dict(response.json())

        return response_400

    if response.status_code == 401:
        response_401 = ImageGenerationErrorResponse.from_dict(response.json())

        return response_401

    if response.status_code == 402:
        response_402 = ImageGenerationErrorResponse.from_dict(response.json())

        return response_402

    if response.status_code == 403:
        response_403 = ImageGenerationErrorResponse.from_dict(response.json())

        return response_403

    if response.status_code == 404:
        response_404 = ImageGenerationErrorResponse.from_dict(response.json())

        return response_404

    if response.status_code == 429:
        response_429 = RateLimitResponse.from_dict(response.json())

        return response_429

    if response.status_code == 500:
        response_500 = ImageGenerationErrorResponse.from_dict(response.json())

        return response_500

    if client.raise_on_unexpected_status:
        raise errors.UnexpectedStatus(response.status_code, response.content)
    else:
        return None


def _build_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Response[
    ImageGenerationErrorResponse
    | ImageGenerationFailedResponse
    | ImageGenerationProcessingResponse
    | ImageGenerationSuccessResponse
    | RateLimitResponse
]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient | Client,
    body: InpaintRequest,
) -> Response[
    ImageGenerationErrorResponse
    | ImageGenerationFailedResponse
    | ImageGenerationProcessingResponse
    | ImageGenerationSuccessResponse
    | RateLimitResponse
]:
    """Inpainting

     Paints the masked part of an image anew.

    Args:
        body (InpaintRequest):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[ImageGenerationErrorResponse | ImageGenerationErrorResponse | ImageGenerationFailedResponse | ImageGenerationProcessingResponse | ImageGenerationSuccessResponse | RateLimitResponse]
    """

    kwargs = _get_kwargs(
        body=body,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    *,
    client: AuthenticatedClient | Client,
    body: InpaintRequest,
) -> (
    ImageGenerationErrorResponse
    | ImageGenerationFailedResponse
    | ImageGenerationProcessingResponse
    | ImageGenerationSuccessResponse
    | RateLimitResponse
    | None
):
    """Inpainting

     Paints the masked part of an image anew.

    Args:
        body (InpaintRequest):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        ImageGenerationErrorResponse | ImageGenerationErrorResponse | ImageGenerationFailedResponse | ImageGenerationProcessingResponse | ImageGenerationSuccessResponse | RateLimitResponse
    """

    return sync_detailed(
        client=client,
        body=body,
    ).parsed


async def asyncio_detailed(
    *,
    client: AuthenticatedClient | Client,
    body: InpaintRequest,
) -> Response[
    ImageGenerationErrorResponse
    | ImageGenerationFailedResponse
    | ImageGenerationProcessingResponse
    | ImageGenerationSuccessResponse
    | RateLimitResponse
]:
    """Inpainting

     Paints the masked part of an image anew.

    Args:
        body (InpaintRequest):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[ImageGenerationErrorResponse | ImageGenerationErrorResponse | ImageGenerationFailedResponse | ImageGenerationProcessingResponse | ImageGenerationSuccessResponse | RateLimitResponse]
    """

    kwargs = _get_kwargs(
        body=body,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    *,
    client: AuthenticatedClient | Client,
    body: InpaintRequest,
) -> (
    ImageGenerationErrorResponse
    | ImageGenerationFailedResponse
    | ImageGenerationProcessingResponse
    | ImageGenerationSuccessResponse
    | RateLimitResponse
    | None
):
    """Inpainting

     Paints the masked part of an image anew.

    Args:
        body (InpaintRequest):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        ImageGenerationErrorResponse | ImageGenerationErrorResponse | ImageGenerationFailedResponse | ImageGenerationProcessingResponse | ImageGenerationSuccessResponse | RateLimitResponse
    """

    return (
        await asyncio_detailed(
            client=client,
            body=body,
        )
    ).parsed
