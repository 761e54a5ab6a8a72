"""The command line for people who write workflows: ``signalbox-py``, or ``python -m signalbox``.

signalbox-py train --local flow.py:Flow --data rows.parquet --label late     # on this machine
signalbox-py train --request request.json --follow                           # on the control plane
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FAILED, USAGE = 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status: 1 for a run that failed, 2 for a command that makes no sense."""
    given = list(sys.argv[1:] if argv is None else argv)
    options = _parser().parse_args(given)
    if options.local:
        return _train_local(options, given)
    if not options.request:
        print("signalbox-py train: give --local WORKFLOW.py:Class, or --request for a run elsewhere", file=sys.stderr)
        return USAGE
    return _train(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="signalbox-py", description="Train Signalbox workflows.")
    train = parser.add_subparsers(required=True, metavar="COMMAND").add_parser("train", help="train one model")
    train.add_argument("--local", metavar="WORKFLOW.py:Class", help="train here; a folder takes FOLDER:module:Class")
    train.add_argument("--data", type=Path, metavar="FILE|DIR", help="Parquet to train on, with --local")
    train.add_argument("--request", type=Path, metavar="FILE", help="training request (JSON)")
    train.add_argument("--label", default="", help="column to be predicted")
    train.add_argument(
        "--features", default="", metavar="A,B", help="columns to predict from; default: all usable ones"
    )
    train.add_argument(
        "--param", action="append", default=[], metavar="K=V", help="a custom_params member; V may be JSON"
    )
    train.add_argument("--out", type=Path, default=Path("signalbox-out"), metavar="DIR", help="where results go")
    train.add_argument("--threads", type=int, default=2, help="threads that the workflow may use")
    train.add_argument("--follow", action="store_true", help="without --local: print the log until the run ends")
    return parser


def _train_local(options: argparse.Namespace, given: list[str]) -> int:
    from . import environment, local

    path, _, entrypoint = options.local.partition(":")
    if not entrypoint or options.data is None:
        print("signalbox-py train: --local wants WORKFLOW.py:Class, and --data", file=sys.stderr)
        return USAGE
    environment.require_hash_seed("signalbox", given)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    features = [name.strip() for name in options.features.split(",") if name.strip()]
    try:
        request = json.loads(options.request.read_text("utf-8")) if options.request else {}
        params = dict(_param(text) for text in options.param)
    except (OSError, ValueError) as err:
        print(f"signalbox-py train: {err}", file=sys.stderr)
        return FAILED
    what = local.Local(Path(path), entrypoint, options.data, request, options.label, features, params, options.threads)
    try:
        result = local.train(what, options.out)
    except local.LocalError as err:
        print(f"signalbox-py train: {err}", file=sys.stderr)
        return FAILED
    except Exception:
        traceback.print_exc()  # of the workflow: its author wants to know where
        return FAILED
    for name, value in sorted(result.metrics.items()):
        print(f"{name:<24} {value:g}")
    print(f"package {result.package} in {result.folder / 'package'}")
    return 0


def _param(text: str) -> tuple[str, Any]:
    """Read K=V. ValueError without the sign."""
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise ValueError(f"--param {text!r}: want NAME=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _train(options: argparse.Namespace) -> int:
    from .api import ApiError, Client

    try:
        run = Client().train(json.loads(options.request.read_text("utf-8")))
        print(run.id)
        if not options.follow:
            return 0
        for line in run.logs(follow=True):
            print(line, flush=True)
        status = run.wait()
    except (ApiError, OSError, ValueError) as err:
        print(f"signalbox-py train: {err}", file=sys.stderr)
        return FAILED
    print(f"{status.state} {status.package}".strip())
    return 0 if status.state == "complete" else FAILED
