"""A client library for accessing ModelsLab Pony Models Image Generation API"""

from .client import AuthenticatedClient, Client

__all__ = (
    "AuthenticatedClient",
    "Client",
)
