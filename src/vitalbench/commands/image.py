"""Build a container image, take one that was built elsewhere, or say what one was built from.

`build` makes the image and a receipt of it (containers/cpu.json). `take` puts one that was built elsewhere in its place, once it
has proved to be the one expected. `facts` is what a definition calls within the image. `show` tells of an image that is here,
whoever built it, and whether it holds the source that is here.
"""

import argparse
from pathlib import Path

from vitalbench.amounts import shown_size
from vitalbench.containers.build import build
from vitalbench.containers.debian import differences
from vitalbench.containers.facts import LABELS, facts, label_lines
from vitalbench.containers.inspect import labels
from vitalbench.containers.sif import fault
from vitalbench.containers.take import refuse_place, take
from vitalbench.errors import InputError
from vitalbench.files import file_digest, write_json
from vitalbench.image import LOCK, PINS, otherwise, pins_of, receipt_of
from vitalbench.layout import CPU_IMAGE
from vitalbench.progress import say


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="build|take|facts|show")
    building = actions.add_parser("build", help="build an image and write its receipt")
    building.add_argument("--definition", type=Path, required=True, metavar="FILE", help="containers/cpu.def")
    building.add_argument("--out", type=Path, required=True, metavar="FILE", help="containers/cpu.sif")
    building.add_argument("--mirror", metavar="URL", help="the Debian archive to take, such as a snapshot of a day")
    taking = actions.add_parser(
        "take", help="put a pulled or carried image in its place, held against what is expected"
    )
    taking.add_argument("image", type=Path, metavar="IMAGE")
    taking.add_argument(
        "--expect", required=True, metavar="SHA256|FILE", help="the digest, or a receipt or a run's provenance.json"
    )
    taking.add_argument("--out", type=Path, default=Path(CPU_IMAGE), metavar="FILE", help=f"default: {CPU_IMAGE}")
    telling = actions.add_parser("facts", help="within an image: write what it is told apart by")
    telling.add_argument("--root", type=Path, required=True, help="the folder that holds envs/")
    telling.add_argument("--system", type=Path, required=True, help="the list of the system's packages")
    telling.add_argument("--listed", type=Path, required=True, help="the list to hold it against")
    telling.add_argument("--out", type=Path, required=True, metavar="FILE", help="where they are read from later")
    telling.add_argument("--labels", type=Path, required=True, metavar="FILE", help="Apptainer's file of labels")
    showing = actions.add_parser("show", help="what an image was built from")
    showing.add_argument("image", type=Path, metavar="IMAGE")


def run(args: argparse.Namespace) -> None:
    """Build, tell or show."""
    if args.action == "build":
        refuse_place(args.out)
        made = build(args.definition, args.out, receipt_of(args.out), args.mirror)
        size = shown_size(made["bytes"])
        say(f"{args.out}: {size}, sha256 {made['sha256']}, built in {made['build_seconds']:.0f} s")
    elif args.action == "take":
        made = take(args.image, args.expect, args.out, Path.cwd())
        say(f"{args.out}: {shown_size(made['bytes'])}, sha256 {made['sha256']}, as expected")
    elif args.action == "facts":
        found = facts(args.root, args.system, args.listed)
        write_json(args.out, found)
        with args.labels.open("a", encoding="utf-8") as stream:
            stream.write(label_lines(found))
        for line in differences(args.system.read_text(), args.listed.read_text()):
            say(f"system package {line}")
    else:
        _show(args.image)


def _show(image: Path) -> None:
    if not image.is_file():
        if image.is_dir():
            raise InputError(f"{image}: this is a folder, no image")
        raise InputError(f"{image}: no such file; `snakemake --cores 1 containers` builds containers/cpu.sif")
    if why := fault(image):
        raise InputError(f"{image}: {why}")
    found = labels(image)
    if found is None:
        raise InputError(
            f"{image}: `apptainer inspect --json` reads no labels of it, and this is what tells of an image"
        )
    told = {"image": f"{image}, {shown_size(image.stat().st_size)}", "sha256": file_digest(image)}
    other = PINS.keys() - pins_of(image.name).keys() - found.keys()  # of another kind of image
    told |= {name: found.get(label, "not labelled") for name, label in LABELS.items() if label not in other}
    if why := otherwise(found, Path.cwd(), image.name):
        told["here"] = f"it {why}: build it again before results are compared"
    else:
        told["here"] = "the same source" + (" and packages" if Path(LOCK).is_file() else "")
    for name, value in told.items():
        print(f"{name:<16}{value}")
