"""How many cores this process may use: those it is bound to, and no more than the container's quota pays for."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

CGROUP = Path("/proc/self/cgroup")
MOUNT = Path("/sys/fs/cgroup")


def cores_here() -> int:
    """Cores that this process may use, at least 1; a quota of 1.5 cores is 2 threads."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = quota_here()
    return bound if quota is None else max(1, min(bound, math.ceil(quota)))


def quota_here(cgroup: Path = CGROUP, mount: Path = MOUNT) -> float | None:
    """The smallest quota of the control groups (version 1 and 2) that the process is in, in cores; None without one."""
    found = map(_quota, groups("cpu", cgroup, mount))
    return min((quota for quota in found if quota is not None), default=None)


def groups(controller: str, cgroup: Path = CGROUP, mount: Path = MOUNT) -> Iterator[Path]:
    """Folders of the control groups, of either version, that say what this process may use of `cpu` or `memory`.

    Inside a container the group's path is often that of the host and leads nowhere: the mount itself is looked at too.
    """
    try:
        lines = cgroup.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        for root in (mount, mount / "unified") if not controllers else (mount / controllers, mount / controller):
            inside = Path(path.lstrip("/"))
            yield from (root / place for place in (inside, *inside.parents))


def _quota(folder: Path) -> float | None:
    """`cpu.max` (version 2) or `cpu.cfs_quota_us` and `cpu.cfs_period_us` (version 1); no quota is `max` and -1."""
    try:
        if (file := folder / "cpu.max").is_file():
            quota, period = file.read_text().split()
        else:
            quota, period = ((folder / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        return float(quota) / float(period) if float(quota) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None
