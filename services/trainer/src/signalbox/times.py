"""Points in time and spans, as requests write them."""

from __future__ import annotations

import re
from datetime import datetime, timezone

import pandas as pd

_SPAN = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def instant(text: str) -> pd.Timestamp:
    """Read RFC 3339 or a plain date (midnight UTC). ValueError for anything else."""
    try:
        # Python 3.10 reads neither "Z" nor a date with fromisoformat of datetime in every form.
        at = datetime.fromisoformat(text.strip().replace("Z", "+00:00").replace("z", "+00:00"))
    except ValueError as err:
        raise ValueError(f"{text!r} is not a date: want a form such as 2018-10-01 or 2018-10-01T00:00:00Z") from err
    return pd.Timestamp(at if at.tzinfo else at.replace(tzinfo=timezone.utc)).tz_convert("UTC")


def span(text: str) -> pd.Timedelta:
    """Read a duration such as 7d, 36h or 1d12h. ValueError for anything else, and for nothing."""
    match = _SPAN.fullmatch(text.strip())
    if not match or not any(match.groups()):
        raise ValueError(f"{text!r} is not a duration: want a form such as 7d, 36h or 90m")
    days, hours, minutes, seconds = (int(g or 0) for g in match.groups())
    return pd.Timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def column(series: pd.Series) -> pd.Series:
    """Return a column as instants in UTC; text is parsed, null stays null. ValueError for a column of numbers."""
    if pd.api.types.is_numeric_dtype(series):
        raise ValueError(f"column {series.name!r} holds numbers, not times")
    return pd.to_datetime(series, utc=True, format=None if pd.api.types.is_datetime64_any_dtype(series) else "ISO8601")
