"""`vitalbench <command>`: each command is a file in commands/, found by its name; each rule of the workflow calls exactly one.

Exit codes: 0 done; 1 a gate said no; 2 the input or the configuration is wrong; 128 + n signal n
ended it; anything else is a defect.
"""

import argparse
import importlib
import os
import re
import sys
from pathlib import Path
from typing import Any, NoReturn

from vitalbench import __version__
from vitalbench.errors import ConfigError, VitalbenchError, choices, plain, told_as_line
from vitalbench.privacy.access_log import acting
from vitalbench.progress import say

# Arguments that say, in names of configurations alone, what a command is about; the log of accesses holds the first.
_ABOUT = ("cell", "search", "measurement", "task", "part")
_FOLDER = Path(__file__).parent / "commands"


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line with what is allowed and what comes nearest."""

    _given: tuple[str, ...] = ()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse does, and keep what was given: an option that is misspelt leaves another one missing."""
        self._given = tuple(args or ())
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the whole usage."""
        options = [option for action in self._actions for option in action.option_strings]
        if message.startswith("the following arguments are required"):
            typed = (word.split("=", 1)[0] for word in self._given if word.startswith("--") and word != "--")
            unknown = next((word for word in typed if word not in options), None)
            message = f"unrecognized arguments: {unknown}" if unknown else message
        chosen = re.fullmatch(r"argument (\S+): invalid choice: '(.*)' \(choose from (.*)\)", message)
        if chosen:
            name, value, listed = chosen.groups()
            what = f"{name} {value!r}" if name.startswith("-") else repr(value)  # an action has no name of its own
            raise ConfigError(f"{self.prog}: {what}; {choices(value, listed.replace(chr(39), '').split(', '))}")
        stray = re.match(r"unrecognized arguments: (\S+)", message)
        raise ConfigError(f"{self.prog}: {message}" + (f"; {choices(stray.group(1), options)}" if stray else ""))


def command_names() -> list[str]:
    """The commands there are."""
    return sorted(path.stem for path in _FOLDER.glob("*.py") if path.stem != "__init__")


def _first_line(name: str) -> str:
    text = (_FOLDER / f"{name}.py").read_text(encoding="utf-8")
    return text.removeprefix('"""').split("\n", 1)[0].rstrip('"')


def _usage() -> str:
    lines = [f"  {name:<12} {_first_line(name)}" for name in command_names()]
    return "\n".join(["usage: vitalbench <command> [--help]", "", *lines])


def run(arguments: list[str]) -> int:
    """Run one command; returns its exit code, raises VitalbenchError for what the user should read."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_usage())
        return 0
    if arguments[0] == "--version":
        print(__version__)
        return 0
    name, *rest = arguments
    if name not in command_names():
        raise ConfigError(f"vitalbench: no command is named {name!r}; {choices(name, command_names())}")
    command = importlib.import_module(f"vitalbench.commands.{name}")
    parser = Parser(
        prog=f"vitalbench {name}",
        description=command.__doc__,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.arguments(parser)
    given = parser.parse_args(rest)
    about = next((str(vars(given)[key]) for key in _ABOUT if vars(given).get(key) is not None), "")
    with acting(f"vitalbench {name}", about):
        return int(command.run(given) or 0)


def main() -> None:
    """The console entry point."""
    # GPUs are numbered as nvidia-smi does it, by which measure/device.py names them.
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    try:
        code = run(sys.argv[1:])
        sys.stdout.flush()
    except VitalbenchError as error:
        say(f"error: {plain(str(error))}")
        code = error.exit_code
    except BrokenPipeError:
        # Whoever read our output has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except OSError as error:
        told = told_as_line(error)
        if told is None:
            raise  # nothing the user could act on: a defect, and its traceback is wanted
        print(f"error: {plain(told)}", file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
