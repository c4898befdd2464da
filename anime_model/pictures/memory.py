"""How much memory this process may still take: what the machine has left, and no more than its control groups allow."""

import re
from pathlib import Path

from anime_model.pictures.cores import CGROUP, MOUNT, groups

MEMINFO = Path("/proc/meminfo")
# Limit and use by version 2 of control groups, and by version 1.
FILES = (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes"))


def memory_here(meminfo: Path = MEMINFO, cgroup: Path = CGROUP, mount: Path = MOUNT) -> int | None:
    """In bytes; None where the system does not tell."""
    found = [_left(folder) for folder in groups("memory", cgroup, mount)]
    found.append(_kilobytes(meminfo))
    return min((left for left in found if left is not None), default=None)


def _kilobytes(meminfo: Path) -> int | None:
    try:
        found = re.search(r"^MemAvailable:\s+(\d+) kB", meminfo.read_text(), re.MULTILINE)
    except OSError:
        return None
    return 1024 * int(found[1]) if found else None


def _left(folder: Path) -> int | None:
    """Files that the system keeps in memory while it is free count as free."""
    for limit, used in FILES:
        try:
            most, now = ((folder / name).read_text().strip() for name in (limit, used))
            kept = re.search(r"^(?:total_)?inactive_file (\d+)", (folder / "memory.stat").read_text(), re.MULTILINE)
            return max(0, int(most) - int(now) + (int(kept[1]) if kept else 0))
        except (OSError, ValueError):  # no such file, or no limit: `max`
            continue
    return None
