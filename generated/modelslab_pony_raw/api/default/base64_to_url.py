from http import HTTPStatus
from typing import Any

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.base_64_to_url_request import Base64ToUrlRequest
from ...models.base_64_to_url_response import Base64ToUrlResponse
from ...models.image_generation_error_response import ImageGenerationErrorResponse
from ...models.rate_limit_response import RateLimitResponse
from ...types import Response


def _get_kwargs(
    *,
    body: Base64ToUrlRequest,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/base64_to_url",
    }

    _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Base64ToUrlResponse | ImageGenerationErrorResponse | RateLimitResponse | None:
    if response.status_code == 200:

        def _parse_response_200(
            data: object,
        ) -> Base64ToUrlResponse | ImageGenerationErrorResponse:
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                response_200_type_0 = Base64ToUrlResponse.from_dict(data)

                return response_200_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            if not isinstance(data, dict):
                raise TypeError()
            response_200_type_1 = ImageGenerationErrorResponse.from_dict(data)

            return response_200_type_1

        response_200 = _parse_response_200(response.json())

        return response_200

    if response.status_code == 400:
        response_400 = ImageGenerationErrorResponse.from_dict(response.json())

        return response_400

    if response.status_code == 401:
        response_401 = ImageGenerationErrorResponse.from_dict(response.json())

        return response_401

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
) -> Response[Base64ToUrlResponse | ImageGenerationErrorResponse | RateLimitResponse]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient | Client,
    body: Base64ToUrlRequest,
) -> Response[Base64ToUrlResponse | ImageGenerationErrorResponse | RateLimitResponse]:
    """Upload a file

     Takes a file in base64 and gives a URL for it.

    Args:
        body (Base64ToUrlRequest):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Base64ToUrlResponse | ImageGenerationErrorResponse | ImageGenerationErrorResponse | RateLimitResponse]
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
    body: Base64ToUrlRequest,
) -> Base64ToUrlResponse | ImageGenerationErrorResponse | RateLimitResponse | None:
    """Upload a file

     Takes a file in base64 and gives a URL for it.

    Args:
        body (Base64ToUrlRequest):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Base64ToUrlResponse | ImageGenerationErrorResponse | ImageGenerationErrorResponse | RateLimitResponse
    """

    return sync_detailed(
        client=client,
        body=body,
    ).parsed


async def asyncio_detailed(
    *,
    client: AuthenticatedClient | Client,
    body: Base64ToUrlRequest,
) -> Response[Base64ToUrlResponse | ImageGenerationErrorResponse | RateLimitResponse]:
    """Upload a file

     Takes a file in base64 and gives a URL for it.

    Args:
        body (Base64ToUrlRequest):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Base64ToUrlResponse | ImageGenerationErrorResponse | ImageGenerationErrorResponse | RateLimitResponse]
    """

    kwargs = _get_kwargs(
        body=body,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    *,
    client: AuthenticatedClient | Client,
    body: Base64ToUrlRequest,
) -> Base64ToUrlResponse | ImageGenerationErrorResponse | RateLimitResponse | None:
    """Upload a file

     Takes a file in base64 and gives a URL for it.

    Args:
        body (Base64ToUrlRequest):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Base64ToUrlResponse | ImageGenerationErrorResponse | ImageGenerationErrorResponse | RateLimitResponse
    """

    return (
        await asyncio_detailed(
            client=client,
            body=body,
        )
    ).parsed
