"""InfluxDB read directly, the way its own Python clients do: one HTTP query, JSON decoded, rows into a DataFrame."""

from __future__ import annotations

from typing import Any

import httpx
import pandas as pd


class InfluxDirect:
    """Reads measurements by InfluxQL and returns DataFrames."""

    def __init__(self, url: str, database: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=600.0)
        self._database = database

    def frame(self, query: str, **values: str) -> pd.DataFrame:
        """Return the rows of all series of one statement, with their tags as columns."""
        parameters: dict[str, Any] = {"q": query, "db": self._database, "epoch": "ns"}
        if values:
            pairs = ",".join(f'"{k}":"{v}"' for k, v in values.items())
            parameters["params"] = f"{{{pairs}}}"
        answer = self._http.get("/query", params=parameters)
        answer.raise_for_status()
        (result,) = answer.json()["results"]
        if "error" in result:
            raise RuntimeError(result["error"])
        parts = []
        for series in result.get("series", []):
            part = pd.DataFrame(series["values"], columns=series["columns"])
            for name, value in series.get("tags", {}).items():
                part[name] = value
            parts.append(part)
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()
