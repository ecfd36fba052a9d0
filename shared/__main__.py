"""`python -m shared`: the command line. It lives in `shared.operate`; this only starts it."""

import sys


def main() -> None:
    """Start the command line, or say what to install when it cannot start."""
    try:
        from shared.operate.command_line import app  # noqa: PLC0415 - its absence is answered here
    except ModuleNotFoundError as missing:
        if missing.name not in {"typer", "rich"}:
            raise
        sys.exit(f"{missing.name} is not installed: pip install -r requirements-cli.txt")
    app(prog_name="python -m shared")


if __name__ == "__main__":
    main()
