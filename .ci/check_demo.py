"""Reads the demo's last line and refuses a way that was not walked to its end."""

import json
import stat
import sys
from pathlib import Path


def main() -> None:
    """Prints what the demo reports; ends with status 1 if something of it is missing."""
    report = json.loads(Path(sys.argv[1]).read_text().splitlines()[-1])
    rows, (low, high) = report["rows"], report["macro_f1_interval"]
    seconds = {"with the installation": int(sys.argv[2])} | report["seconds"]
    sys.stdout.write(
        f"seconds: {seconds}\nrows: {rows}\nmacro-F1: {report['macro_f1']:.3f} [{low:.3f}, {high:.3f}]\n"
    )
    holds = {
        "rows were landed": rows["landed"] > rows["distinct"] > 0,
        "ten batches were published": report["publication"]["landings"] >= 10,
        "the prediction leads to raw responses": bool(report["lineage"]["raw_keys"])
        and report["lineage"]["snapshot_id"] <= report["published_snapshot"],
        "the interval holds the score": low < report["macro_f1"] < high,
        "nobody but the owner may read what was written": not _wide(Path(".canopy")),
        "one prediction was served": len(report["prediction"]["predictions"]) == 1,
    }
    failed = [what for what, is_so in holds.items() if not is_so]
    if failed:
        sys.exit("The demo did not hold: " + "; ".join(failed))


def _wide(home: Path) -> list[Path]:
    """Returns what others may read below the home folder; it is named."""
    found = [
        path for path in (home, *home.rglob("*")) if path.lstat().st_mode & 0o077 and not path.is_symlink()
    ]
    for path in found:
        sys.stdout.write(f"{stat.filemode(path.stat().st_mode)} {path}\n")
    return found


main()
