"""The run that a design starts from: its id, its encoder's weights, and the patients it has seen, whom no test may hold."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from vitalbench.chain import contents
from vitalbench.errors import InputError
from vitalbench.files import file_digest, read_json
from vitalbench.split.audit import Check, audit

TRAINED_ON = "trained_on.csv"  # of a pre-training run: record_id, patient_id, digest
AUDITED = "pretrained.json"  # of a run that starts from one: which, and what the audit of whom it has seen found
WEIGHTS = "model.safetensors"
_ENCODER = "encoder."


@dataclass(frozen=True)
class PretrainedRun:
    """A pre-training run's folder."""

    folder: Path

    def ended(self) -> tuple[str, str]:
        """Its status and reason."""
        status = read_json(self.folder / "status.json")
        return str(status["status"]), str(status["reason"])

    @property
    def run_id(self) -> str:
        """Of the run, which every run that starts from it carries."""
        return str(read_json(self.folder / "status.json")["run_id"])

    def audited(self, split: pd.DataFrame, digests: pd.Series) -> list[Check]:
        """Hold whom the run has seen against those that a split validates and tests on, by the audit's checks.

        Args:
            split: record_id, patient_id, split.
            digests: the hash of each record's samples, by record_id.
        """
        seen = pd.read_csv(self.folder / TRAINED_ON, dtype=str)
        held = split.loc[split["split"].isin(("val", "test")), ["record_id", "patient_id", "split"]]
        both = pd.concat([held, seen[["record_id", "patient_id"]].assign(split="pretrain")], ignore_index=True)
        known = pd.concat([digests, seen.set_index("record_id")["digest"]])
        checks, _ = audit(both, known[~known.index.duplicated()])
        return [check for check in checks if check.split.startswith("pretrain-")]

    def encoder(self) -> dict[str, Any]:
        """The encoder's weights and buffers, by name.

        Raises:
            InputError: the file is not as the run left it.
        """
        from safetensors.torch import load_file

        self._hold()
        return {
            name.removeprefix(_ENCODER): tensor
            for name, tensor in load_file(self.folder / WEIGHTS).items()
            if name.startswith(_ENCODER)
        }

    def _hold(self) -> None:
        evidence = read_json(self.folder / "provenance.json")
        links, problems = contents(evidence["chain"], self.folder / "provenance.json")
        for name in (WEIGHTS, TRAINED_ON):
            if problems or links.get("output", {}).get(name) != file_digest(self.folder / name):
                raise InputError(f"{self.folder / name}: not as the pre-training run left it")
