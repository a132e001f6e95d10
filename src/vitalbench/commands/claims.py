"""Judge the reported numbers in configs/claims against what is declared and measured."""

import argparse
from collections import Counter
from pathlib import Path

from vitalbench.claims.ledger import claim_rows
from vitalbench.claims.markdown import markdown
from vitalbench.claims.sources import declared_facts, suite_facts
from vitalbench.config.checks import check_claims
from vitalbench.config.folder import ConfigFolder
from vitalbench.errors import InputError
from vitalbench.files import write_text
from vitalbench.progress import say
from vitalbench.results import Results
from vitalbench.tables import write_table


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--results", type=Path, help="results/<suite>")
    parser.add_argument("--configs", type=Path, default=Path("configs"))
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="write the ledger as a document, with or without results"
    )


def run(args: argparse.Namespace) -> None:
    """Judge."""
    if args.results is None and args.markdown is None:
        raise InputError("vitalbench claims: needs --results results/<suite>, or --markdown FILE")
    if args.markdown and args.markdown.is_dir():
        raise InputError(f"vitalbench claims: --markdown {args.markdown}: is a folder; name a file")
    folder = ConfigFolder(args.configs)
    check_claims(folder)
    if args.results is None:
        rows = list(claim_rows(folder.documents, declared_facts(folder)))
    else:
        results = Results(args.results)
        rows = list(claim_rows(folder.documents, suite_facts(results, folder)))
        write_table("claims", rows, results.table("claims"))
    if args.markdown:
        write_text(args.markdown, markdown(rows))
    counts = Counter(row["verdict"] for row in rows)
    say(f"{len(rows)} claims: " + ", ".join(f"{count} {name}" for name, count in sorted(counts.items())))
