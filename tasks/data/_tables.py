"""Reading tables; their header alone without a heavy library where the format allows."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def header(path: Path) -> list[str]:
    """Column names of a table. Raises ValueError for a file that is not what its name says."""
    try:
        if path.suffix == ".csv":
            with path.open(newline="", encoding="utf-8-sig") as file:
                return next(csv.reader(file), [])
        if path.suffix == ".jsonl":
            with path.open(encoding="utf-8") as file:
                first = json.loads(next((line for line in file if line.strip()), "{}"))
            return [str(name) for name in first] if isinstance(first, dict) else []
        import pyarrow.parquet as pq

        return [str(name) for name in pq.read_schema(path).names]
    except (UnicodeDecodeError, json.JSONDecodeError, csv.Error, OSError) as error:
        raise ValueError(f"{path.name}: not a readable {path.suffix} file ({type(error).__name__})") from error
    except Exception as error:
        if type(error).__module__.startswith("pyarrow"):
            raise ValueError(f"{path.name}: not a readable {path.suffix} file") from error
        raise


def read(path: Path) -> pd.DataFrame:
    """All records of a table. Raises DataError with the place of a broken line."""
    import pandas as pd

    from tasks.data.dataset import DataError

    try:
        if path.suffix == ".csv":
            return pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""], encoding="utf-8-sig")
        if path.suffix == ".jsonl":
            return pd.DataFrame(_json_lines(path))
        return pd.read_parquet(path)
    except (ValueError, OSError) as error:
        raise DataError(f"{path.name}: {str(error).splitlines()[0][:200]}") from error


def _json_lines(path: Path) -> list[dict[str, object]]:
    records = []
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(f"line {number} is not JSON ({error.msg})") from error
            if not isinstance(record, dict):
                raise ValueError(f"line {number} is not an object")
            records.append(record)
    return records
