"""Write the byte code of the modules that jobs import. Arguments: root, home of Python, home of the package signalbox.

The byte code is valid by decree, not by time or hash: the files of an image never change.
"""

import importlib
import os
import subprocess
import sys

IMPORTS = ["lightgbm", "numpy", "pandas", "pyarrow.parquet", "pyarrow.dataset", "scipy.sparse", "http.client", "ssl"]


def imported(root: str, home: str, source: str) -> list[str]:
    """Return the files of modules that jobs import, in a fixed order, from a process of its own."""
    code = (
        "import sys, importlib, pkgutil\n"
        f"for name in {IMPORTS!r}:\n"
        "    try: importlib.import_module(name)\n"
        "    except ModuleNotFoundError as e:\n"
        "        if e.name != name.split('.')[0]: raise\n"
        "import signalbox.runner\n"
        "print('\\n'.join(sorted({m.__file__ for m in list(sys.modules.values()) if getattr(m, '__file__', None)})))\n"
    )
    env = {**os.environ, "PYTHONPATH": root + source}
    out = subprocess.run([sys.executable, "-B", "-c", code], check=True, stdout=subprocess.PIPE, text=True, env=env)
    return [path for path in out.stdout.split("\n") if path.endswith(".py") and path.startswith(root)]


def main() -> None:
    """Compile the modules, and all of the package signalbox."""
    root, home, source = sys.argv[1:]
    py_compile = importlib.import_module("py_compile")
    files = set(imported(root, home, source))
    for folder, _, names in os.walk(root + source):
        files.update(os.path.join(folder, name) for name in names if name.endswith(".py"))
    for path in sorted(files):
        py_compile.compile(
            path,
            dfile=path.removeprefix(root),
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )


main()
