"""A job that begins, asks the test what to do, and does it."""

import json
import os
import pathlib
import signal
import sys
import urllib.request

metadata = json.loads(os.environ["RAY_JOB_CONFIG_JSON_ENV_VAR"])["metadata"]
with open(sys.argv[1], encoding="utf-8") as file:
    json.load(file)
for source in ("workflow/flow.py", "workflow/deep/er.py"):
    if not pathlib.Path(source).exists():
        sys.exit(f"{source} is missing")
print("begin", flush=True)
with urllib.request.urlopen(f"http://127.0.0.1:8000/orders/{metadata['job_submission_id']}", timeout=120) as answer:
    order, _, argument = answer.read().decode().partition(" ")
if order == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
if order == "fill":  # as the launcher does when the kernel took its child
    pathlib.Path(os.environ["SIGNALBOX_SCRATCH"], "data").write_bytes(b"x" * 1000)
    print(json.dumps({name: os.environ.get(name) for name in argument.split(",")}), flush=True)
    sys.exit(0)
if order == "memory":
    print("killed: out of memory (limit 512 MiB, peak 511 MiB)", flush=True)
    sys.exit(137)
if order == "bytes":
    os.write(1, b"\xff\xfe\r\n")
    sys.exit(0)
print("end", flush=True)
sys.exit(int(argument))
