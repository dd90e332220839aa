"""A raw server behind TLS, with a certificate of its own."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path
from typing import Any

from support.raw_server import RawServer, Say


def certificate(folder: Path) -> Path:
    """Return a file with a new key and a certificate for this machine."""
    file, key = folder / "certificate.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    named = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-days", "2"]
    subprocess.run([*command, *named, "-keyout", key, "-out", file], check=True, capture_output=True)
    with file.open("a") as both:
        both.write(key.read_text())
    return file


class TlsServer(RawServer):
    """Says over TLS what `say` says; a connection whose handshake fails is left at once."""

    def __init__(self, say: Say, certified: Path) -> None:
        super().__init__(say)
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._tls.load_cert_chain(certified)

    @property
    def url(self) -> str:
        return f"https://{self.host}:{self.port}"

    def _serve(self, connection: Any) -> None:
        connection.settimeout(10)
        try:
            wrapped = self._tls.wrap_socket(connection, server_side=True)
        except OSError:
            connection.close()
            with self._lock:
                self.open -= 1
        else:
            super()._serve(wrapped)
