"""A search: a baseline, forty trials, the best of them, and a replay that proves where each proposal came from."""

import tempfile
from pathlib import Path

from etude.config.load import load_study
from etude.search.log_sampler import LogSampler
from etude.search.replay import compare_proposals
from etude.search.samplers.factory import make
from etude.search.trial_log import read_log
from etude.search.trials import TrialOutcome
from etude.study.execution import Execution
from etude.study.prepare import Options, prepare

STUDY = """
name: search
params: {rate: 0.01, decay: 0.1, kind: plain, pull: 0.5}
pipeline:
  fit: {step: "search_steps:descend", with: {rate: "${rate}", decay: "${decay}", kind: "${kind}", pull: "${pull}"}}
vary:
  search:
    space:
      rate: {float: [1e-4, 1.0], log: true}
      decay: {float: [0.0, 1.0]}
      kind: {choice: [plain, heavy]}
      pull: {float: [0.0, 0.99], when: {kind: heavy}}
    objective: fit.loss
    direction: minimize
    trials: 40
    baseline: params
"""

STEPS = """
from etude import step
@step
def descend(*, rate: float, decay: float, kind: str, pull: float) -> dict[str, float]:
    x, y, speed_x, speed_y = -1.5, 2.0, 0.0, 0.0
    for number in range(20):
        now, keep = rate / (1 + decay * number), pull if kind == "heavy" else 0.0
        speed_x, speed_y = keep * speed_x - now * 1.4 * x, keep * speed_y - now * 26 * y
        x, y = x + speed_x, y + speed_y
    return {"loss": 0.7 * x * x + 13 * y * y}
"""


def main(folder: Path) -> None:
    """Write the project into a folder, search it, and print what came of it."""
    (folder / "search.yaml").write_text(STUDY)
    (folder / "search_steps.py").write_text(STEPS)
    study = load_study(folder / "search.yaml", overrides=["place.backend=inline"])
    search, state = study.vary.search, Execution(prepare(study), Options(), lambda event: None).run().prepared.search
    ok = [trial for trial in state.history.trials.values() if trial.outcome is TrialOutcome.OK]
    for trial in [state.history.trials[0], *sorted(ok, key=lambda trial: trial.values)[:3]]:
        print(f"trial {trial.number:2}  loss {trial.values[0]:9.3g}  {dict(trial.point)}")
    fresh = lambda: LogSampler(sampler=make(search.sampler, search.space, search.goal, search.seed), goal=search.goal)  # noqa: E731
    print(all(one.same for one in compare_proposals(read_log(state.folder / "events.jsonl"), fresh)), "replay")


if __name__ == "__main__":
    main(Path(tempfile.mkdtemp()))
