"""Judge the reported numbers in configs/claims against what is declared and measured."""

import argparse
from collections import Counter
from pathlib import Path

from vitalbench.claims.ledger import claim_rows
from vitalbench.config.claims_file import read_documents
from vitalbench.config.folder import ConfigFolder
from vitalbench.progress import say
from vitalbench.results import Results
from vitalbench.tables import write_table


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--results", type=Path, required=True, help="results/<suite>")
    parser.add_argument("--configs", type=Path, default=Path("configs"))


def run(args: argparse.Namespace) -> None:
    """Judge."""
    results = Results(args.results)
    rows = list(claim_rows(results, read_documents(ConfigFolder(args.configs).path / "claims")))
    write_table("claims", rows, results.table("claims"))
    counts = Counter(row["verdict"] for row in rows)
    say(f"{len(rows)} claims: " + ", ".join(f"{count} {name}" for name, count in sorted(counts.items())))
