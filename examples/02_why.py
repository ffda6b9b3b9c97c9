"""What a plan says after a change: the setting or symbol, and exactly the nodes that it reaches."""

from pathlib import Path

from etude.cli.commands.init import make_project
from etude.config.load import load_study
from etude.graph.explain import why
from etude.study.accept import earlier_result
from etude.study.execution import Execution
from etude.study.prepare import Options, PreparedStudy, prepare


def planned(folder: Path, *overrides: str) -> PreparedStudy:
    """The project's study, laid out and planned."""
    return prepare(load_study(folder / "study.yaml", overrides=["place.backend=inline", *overrides]))


def tell(prepared: PreparedStudy) -> None:
    """Print what would run, and why."""
    for action in prepared.plan.actions:
        reasons = why(action, earlier_result(prepared.store, prepared.history, action.node))
        print(f"{action.state:8} {action.node.label():32} {'; '.join(map(str, reasons))[:80]}")


def main(folder: Path) -> None:
    """Make a project, run it, change it in three ways, and look at the plan each time."""
    make_project(folder)
    prepared = planned(folder)
    Execution(prepared, Options(), lambda event: None).run()
    steps = folder / "my_steps.py"
    source = steps.read_text()

    print("\nanother setting of the first node:")
    tell(planned(folder, "pipeline.points.with.noise=0.3", "vary.grid.neighbours=[5]", "vary.repeat.seed=[0]"))

    print("\na comment in the last node's step:")
    steps.write_text(source.replace("    half =", "    # The first half is the training set.\n    half ="))
    tell(planned(folder, "vary.grid.neighbours=[5]", "vary.repeat.seed=[0]"))

    print("\nother code in the last node's step:")
    steps.write_text(source.replace("> 0.5", ">= 0.5"))
    tell(planned(folder, "vary.grid.neighbours=[5]", "vary.repeat.seed=[0]"))


if __name__ == "__main__":
    import tempfile

    main(Path(tempfile.mkdtemp()) / "project")
