"""Read tables of the archive as a stranger does: a request as JSON comes in, the answers as JSON go out.

The catalog is PyIceberg's own SQL catalog, on the database as it is; bytes come out as Base64, times as microseconds.
"""

import base64
import json
import sys
from datetime import datetime, timezone

import pyarrow.parquet as pq
from pyiceberg.catalog import load_catalog


def plain(value):
    """Return a value as JSON has it."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime):
        return round(value.replace(tzinfo=timezone.utc).timestamp() * 1_000_000)
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return value


def answer(catalog, read):
    """Return the rows that a read wants, and how many files it takes."""
    table = catalog.load_table(tuple(read["table"]))
    options = {"row_filter": read["filter"]} if read.get("filter") else {}
    if read.get("snapshot"):
        options["snapshot_id"] = read["snapshot"]
    scan = table.scan(**options)
    files = list(scan.plan_files())
    columns = [field.name for field in table.schema().fields]
    for task in files if not read.get("filter") else []:
        with table.io.new_input(task.file.file_path).open() as f:
            stored = pq.read_schema(f).names
        if stored != columns:
            raise SystemExit(f"{task.file.file_path} has the columns {stored}, the table {columns}")
    return {
        "files": len(files),
        "rows": [plain(row) for row in scan.to_arrow().to_pylist()],
        "snapshots": [s.snapshot_id for s in table.metadata.snapshots],
    }


def main():
    """Answer one request."""
    request = json.load(sys.stdin)
    catalog = load_catalog(request["catalog"], **request["properties"])
    answers = {
        "tables": sorted(".".join(t) for t in catalog.list_tables(request["namespace"])),
        "reads": [answer(catalog, read) for read in request["reads"]],
    }
    json.dump(answers, sys.stdout)


main()
