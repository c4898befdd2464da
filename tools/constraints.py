"""constraints.txt: the newest packages that suit each other, for all that is tested or measured.

`python -m tools.constraints` asks pip and installs nothing; it takes minutes. The file holds only `name==version`
lines: pip, pip-audit and the Dockerfile read it.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from anime_model.pictures.atomic import write_whole

FILE = Path("constraints.txt")
PROJECT = "animegan-lite"
ASK = ("install", "--dry-run", "--ignore-installed", "--quiet", "--report", "-", ".[test,benchmarks]")


def main() -> None:
    done = subprocess.run([sys.executable, "-m", "pip", *ASK], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"error: {FILE}: left as it was; pip found no packages that suit each other (its message is above)")
    write_whole(FILE, pins(json.loads(done.stdout)))


def pins(report: dict[str, Any]) -> str:
    """A line for each package of pip's installation report, in the order of their names."""
    packages = {entry["metadata"]["name"].lower(): entry["metadata"]["version"] for entry in report["install"]}
    return "".join(f"{name}=={version}\n" for name, version in sorted(packages.items()) if name != PROJECT)


if __name__ == "__main__":
    main()
