"""What papers claim, in one table: python tests/benchmarks/papers_table.py FOLDER ...

Each folder is one that `holonet reproduce` or `holonet hypothesis` wrote. A row is a claim, with
the number that decided its verdict: the first one that has the verdict of the whole claim, or all
effects. No number is typed by hand.
"""

import argparse
import json
import re
from pathlib import Path
from typing import Any

from holonet.papers import study_named

DECIDED = re.compile(
    r"(?P<name>[^;]+?): (?P<number>[^;:]*?\((?:95% interval [^)]*|one value, no interval)\)), "
    r"(?P<verdict>confirmed|undecided|refuted|not testable)(?=[;.])"
)
HEADERS = (
    *("paper", "claim", "said by the paper", "number (interval)", "verdict"),
    *("command", "core minutes"),
)
NOT_CHOSEN = "not chosen for this run"


def deciding(finding: dict[str, Any]) -> str:
    """The first number with the verdict of the claim, and how many others there are.

    Of claims that are corrected together, all effects.
    """
    if finding["effect"]:
        return finding["effect"]
    numbers = list(DECIDED.finditer(finding["text"]))
    first = [n for n in numbers if n["verdict"] == finding["verdict"]]
    if not first:
        return "–"
    name = first[0]["name"].split("confirmed. ")[-1].strip()
    others = f"; {len(first)} of {len(numbers)} numbers say so" if len(numbers) > 1 else ""
    return f"{name}: {first[0]['number'].replace('95% interval ', '')}{others}"


def rows(record: dict[str, Any]) -> list[list[str]]:
    """One for each claim that was run of a study, in its order."""
    named = re.search(r"\((.*)\)$", record["title"])
    paper = named[1] if named else record["title"].split(",")[0]
    work = [f"`{command(record)}`", f"{record['seconds'] / 60:.1f}"]
    return [
        [paper, claim["statement"], claim["standing"], deciding(found), found["verdict"], *work]
        for claim, found in zip(record["claims"], record["findings"], strict=True)
        if NOT_CHOSEN not in found["text"]
    ]


def command(record: dict[str, Any]) -> str:
    """Without the folders of this machine."""
    return re.sub(r"--data-root \S+", "--data-root DIR", record["command"])


def read(folder: Path) -> dict[str, Any]:
    """The results of a study, refused where its claims have changed since."""
    record = json.loads((folder / "results.json").read_text())
    if record["claims"] != [c.to_json() for c in study_named(record["study"]).claims]:
        raise SystemExit(f"{folder} is of other claims than {record['study']} has now: run it anew")
    return record


def page(records: list[dict[str, Any]]) -> str:
    """The table with the commands behind it."""
    table = [list(HEADERS), ["---"] * len(HEADERS), *(row for r in records for row in rows(r))]
    made = [f"    {command(record)}" for record in records]
    facts = [
        f"- `{command(r)}`: up to {len(r['seeds'])} seeds, {len(r['cells'])} cells, commit "
        f"{r['provenance']['commit']}, "
        f"{r['provenance']['processor']}, torch {r['provenance']['torch']}, "
        f"{r['provenance']['date']}."
        for r in records
    ]
    lines = [
        "# Papers, claim by claim",
        "",
        "`python tests/benchmarks/papers_table.py FOLDER ...` prints this page from the folders of",
        "",
        *made,
        "",
        "A claim is certain where the paper's abstract or its authors' code says it, reconstructed "
        "where details had to be filled in. Its number is the first that has the verdict of the "
        "whole claim; all must agree for a confirmation. Intervals are at 95%, those of the "
        "analytic-framework hypothesis at 99.3%, for seven claims at once. Core minutes are the "
        "sum over the cells of a study, each on one core: two cores take half. They grow with what "
        "else the machine does. "
        "[Results](results.md) has what a table cannot say.",
        "",
        *("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in table),
        "",
        *facts,
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Print the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    folders = parser.parse_args().folders
    print(page([read(folder) for folder in folders]), end="")


if __name__ == "__main__":
    main()
