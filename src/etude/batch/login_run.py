"""What is computed where the driver runs, before anything is submitted: nodes that want the login node's network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from etude.errors import BackendError
from etude.execute.backend import Progress
from etude.execute.devices import machine
from etude.execute.node_metering import MeterSettings
from etude.execute.process_backend import ProcessBackend
from etude.execute.run_events import Tell
from etude.execute.runner import Policy, Runner, RunSummary
from etude.graph.importing import import_path
from etude.graph.node import Node
from etude.graph.plan import plan
from etude.study.prepare import DIGESTS, PreparedStudy
from etude.study.provenance import Provenance


@dataclass(slots=True, kw_only=True)
class LoginRun:
    """Computes the nodes of a plan that are placed on the login node, and what they read."""

    prepared: PreparedStudy
    run: str
    environment: Mapping[str, str]
    meter: MeterSettings
    tell: Tell
    runner: Runner | None = None

    def nodes(self) -> list[Node]:
        """The nodes to be computed here. The table of records, which reads all variants, is any job's to make."""
        return [node for node in self.prepared.plan.todo if node.needs.login and node.use is not None]

    def compute(self) -> RunSummary:
        """Compute them.

        Raises:
            BackendError: One reads what jobs compute, which comes after this.
        """
        prepared, workplace = self.prepared, self.prepared.workplace
        present = prepared.present
        differences = None if present is None else present.compare()
        made = plan(self.nodes(), prepared.store.inspect, differences=differences)
        for node in made.todo:
            if not node.needs.login:
                raise BackendError(
                    f"{node.label()} is computed in a batch job, and a node placed on the login node reads it.\n"
                    "    Mend: place that one too (on: {login: true}), or run without --one-job-per."
                )
        backend = ProcessBackend(
            machine=machine(self.environment, workers=prepared.study.place.workers, gpus=0),
            store=workplace.store,
            logs=workplace.etude / "logs" / prepared.study.name,
            import_path=import_path(workplace.project),
            sources=prepared.expansion.library.sources(),
            tell=self._take_progress,
            environment=self.environment,
            meter=self.meter,
            digests=workplace.etude / DIGESTS,
        )
        provenance = Provenance(
            study=prepared.study.name, run=self.run, project=workplace.project, store=prepared.store
        )
        policy = Policy(retries=prepared.study.place.retries)
        self.runner = Runner(
            plan=made,
            store=prepared.store,
            backend=backend,
            provenance=provenance,
            policy=policy,
            tell=self.tell,
            present=present,
        )
        try:
            return self.runner.run()
        finally:
            backend.close()

    def _take_progress(self, progress: Progress) -> None:
        if self.runner is not None:
            self.runner.take_progress(progress)
