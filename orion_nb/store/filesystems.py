"""Which journal a database may use where it lies: WAL does not work on network file systems."""

from __future__ import annotations

from pathlib import Path

NETWORK = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "beegfs", "gpfs")


def journal_mode(path: Path) -> str:
    """`wal` on a local disk, `delete` on a network file system (sqlite.org/wal.html, section 1)."""
    kind = filesystem(path)
    return "delete" if kind in NETWORK or kind.startswith("fuse.") else "wal"


def filesystem(path: Path) -> str:
    """The type of file system that holds `path`, from Linux's mount table; "" where unknown."""
    try:
        table = Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    except OSError:
        return ""
    mounts = [line.split(" - ", 1) for line in table.splitlines() if " - " in line]
    kinds = {left.split()[4].replace("\\040", " "): right.split()[0] for left, right in mounts}
    where = path.resolve()
    return next((kinds[str(at)] for at in (where, *where.parents) if str(at) in kinds), "")
