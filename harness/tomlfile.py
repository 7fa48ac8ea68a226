"""TOML that people write: its data, or in one error why it can't be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.errors import SettingsError, Where


def read_toml(path: Path, *, code: str | None = None, hint: str | None = None) -> dict[str, Any]:
    """The data of a TOML file (UTF-8).

    Args:
        path: The file.
        code: Of the error, where it has one of its own.
        hint: What to do about it.

    Raises:
        FileNotFoundError: There is none.
        SettingsError: It can't be read, or is not TOML.
    """
    import tomllib

    def refused(why: str, line: int | None = None) -> SettingsError:
        return SettingsError(why, code=code, hint=hint, where=Where(str(path), line))

    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise refused(f"it can't be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise refused("this is not UTF-8", line) from error
    except RecursionError as error:
        raise refused("this is not TOML: it is nested too deeply") from error
    except tomllib.TOMLDecodeError as error:
        raise refused(f"this is not TOML: {error}") from error
    except ValueError as error:
        raise refused("a number in it has thousands of digits") from error
