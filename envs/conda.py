"""Write environment.yml, for conda users, from the lock: `make lock` calls it, and a test holds the two against each other."""

import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.M)
HEAD = """\
# Generated from torch.txt and lock.txt by `make lock`: the same versions, for conda and its relatives. From the project's root:
#     conda env create --file envs/environment.yml && conda activate vitalbench
#     pip install --no-deps --no-build-isolation --editable .
# On Linux, torch's own metadata brings the CUDA libraries of its build, which this file does not name. On x86-64 what the lock
# names, by hash, takes the place of both with: pip install --no-deps --require-hashes -r envs/torch-cuda.txt
name: vitalbench
channels:
  - conda-forge
  - nodefaults
dependencies:
  - python=3.11
  - pip
  - pip:
"""


def pins(text: str) -> dict[str, str]:
    """Package and version of each line of a lock file that pins one.

    >>> pins("numpy==2.4.6 \\\\\\n    --hash=sha256:00\\n# via\\n")
    {'numpy': '2.4.6'}
    """
    return dict(PIN.findall(text))


def environment(folder: Path = HERE) -> str:
    """The text of environment.yml."""
    locked = {name: v for file in ("torch.txt", "lock.txt") for name, v in pins((folder / file).read_text()).items()}
    return HEAD + "".join(f"      - {name}=={version}\n" for name, version in sorted(locked.items()))


if __name__ == "__main__":
    sys.stdout.write(environment())
