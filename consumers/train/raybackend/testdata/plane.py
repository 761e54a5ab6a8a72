"""A control plane with one training job, made of what the tests of the trainer have.

    plane.py TRAINER URL

It prints its own address, the job's document and its sources as JSON. URL is where the job finds it. Once standard
input ends, it prints what it was told.
"""

import json
import sys
import tempfile
from pathlib import Path

trainer = Path(sys.argv[1])
sys.path[:0] = [str(trainer / "src"), str(trainer / "tests")]

import support  # noqa: E402

with support.control() as plane, tempfile.TemporaryDirectory() as scratch:
    address, plane.url = plane.url, sys.argv[2]
    parts = [plane.put("p0", support.parquet(support.flights()))]
    path = support.write_job(Path(scratch) / "job", plane, support.BOOSTER, parts, support.request())
    files = {"workflow/flow.py": support.BOOSTER}
    print(json.dumps({"address": address, "spec": json.loads(path.read_text()), "files": files}), flush=True)
    sys.stdin.read()
    told = {
        "starts": plane.state.starts,
        "completed": plane.state.completed,
        "failed": plane.state.failed,
        "packages": list(plane.state.packages),
        "log": plane.state.stream("log").decode(),
    }
    print(json.dumps(told), flush=True)
