"""constraints.txt: the newest packages that suit each other, for all that is tested or measured.

`python -m tools.constraints` asks uv, which needs a minute or two and installs nothing. The file holds only
`name==version` lines: pip, pip-audit and the Dockerfile read it.
"""

import subprocess
import sys
from pathlib import Path

from anime_model.pictures.atomic import write_whole

FILE = Path("constraints.txt")
EXTRAS = ("test", "benchmarks", "ray")
COMMAND = ("uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate", "pyproject.toml")


def main() -> None:
    extras = [option for extra in EXTRAS for option in ("--extra", extra)]
    done = subprocess.run([sys.executable, "-m", *COMMAND, *extras], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"error: {FILE}: left as it was; uv found no packages that suit each other (its message is above)")
    write_whole(FILE, pins(done.stdout))


def pins(found: str) -> str:
    """The pins of uv's answer in the order of their names, without extras and markers: pip takes neither there."""
    lines = [line.split(";")[0].strip() for line in found.splitlines() if line[:1].isalnum()]
    pinned = [(name.split("[")[0].lower(), version) for name, _, version in (line.partition("==") for line in lines)]
    return "".join(f"{name}=={version}\n" for name, version in sorted(pinned))


if __name__ == "__main__":
    main()
