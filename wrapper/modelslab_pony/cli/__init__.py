"""The `pony` command. It needs the extra `modelslab-pony[cli]`."""

import sys


def main() -> None:
    """Run the command; say what to install where its libraries are missing."""
    try:
        from modelslab_pony.cli import _start  # noqa: PLC0415 - a missing extra is told here
    except ModuleNotFoundError as error:
        if error.name not in {"rich", "typer"}:
            raise
        print(f"pony: {error.name} is missing: pip install 'modelslab-pony[cli]'", file=sys.stderr)  # noqa: T201 - a command prints
        sys.exit(14)  # as for a MissingExtraError
    except KeyboardInterrupt:  # nothing was begun
        sys.exit(130)
    _start.run()
