"""MLflow: a run there for a run here, in the suite's own database unless the environment names a server (MLFLOW_TRACKING_URI)."""

import logging
import os
from pathlib import Path
from typing import Any

from vitalbench.measure.clock import unix_seconds
from vitalbench.train.course import Course
from vitalbench.train.observer import Begun
from vitalbench.watch.identity import Identity, flat, numbers
from vitalbench.watch.observers import Listener

DATABASE = "mlflow.db"  # below results/<suite>
TAG = "vitalbench.run_id"
_LONGEST = 500  # characters of a parameter that every store takes
_AT_ONCE = 100  # parameters
_ENDED = {"measured": "FINISHED", "interrupted": "KILLED"}


class MlflowRun(Listener):
    """Tells the epochs of a run, each once: what an earlier process told is deleted there and told anew from the history.

    Args:
        results: results/<suite>, where the database lies.
    """

    name = "MLflow"

    def __init__(self, results: Path, identity: Identity) -> None:
        self._results, self._identity = results, identity
        self._client: Any = None
        self._run = ""

    def start(self, begun: Begun, course: Course) -> None:  # noqa: ARG002
        """Begin the run there, with the epochs so far."""
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        logging.getLogger("mlflow").setLevel(logging.WARNING)  # else it tells of each table it makes
        from mlflow import MlflowClient
        from mlflow.entities import Param

        uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(self._results / DATABASE).resolve()}"
        self._client = MlflowClient(tracking_uri=uri)
        experiment = self._experiment()
        for earlier in self._client.search_runs([experiment], f"tags.`{TAG}` = '{self._identity.run_id}'"):
            self._client.delete_run(earlier.info.run_id)
        tags = {TAG: self._identity.run_id, "vitalbench.cell": self._identity.cell}
        self._run = self._client.create_run(experiment, run_name=self._identity.cell, tags=tags).info.run_id
        told = [Param(name, value[:_LONGEST]) for name, value in flat(self._identity.config).items()]
        for first in range(0, len(told), _AT_ONCE):
            self._client.log_batch(self._run, params=told[first : first + _AT_ONCE])
        for row in course.history:
            self.epoch(course, row)

    def _experiment(self) -> str:
        """The id of the suite's experiment."""
        from mlflow.exceptions import MlflowException

        name = f"vitalbench {self._identity.suite}"
        found = self._client.get_experiment_by_name(name)
        if found is None:
            try:
                return str(self._client.create_experiment(name))
            except MlflowException:  # another cell's process was quicker
                found = self._client.get_experiment_by_name(name)
                if found is None:
                    raise
        return str(found.experiment_id)

    def epoch(self, course: Course, row: dict[str, Any]) -> None:  # noqa: ARG002
        """Tell an epoch's numbers."""
        from mlflow.entities import Metric

        now = int(unix_seconds() * 1000)
        values = [Metric(name, value, now, int(row["epoch"])) for name, value in numbers(row).items()]
        self._client.log_batch(self._run, metrics=values)

    def close(self, status: str) -> None:
        """End the run there."""
        if self._run:
            self._client.set_terminated(self._run, status=_ENDED.get(status, "FAILED"))
