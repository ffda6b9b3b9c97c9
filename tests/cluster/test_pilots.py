"""Studies on batch systems through the parsl backend: a real SLURM, and stand-ins of PBS Pro and HTCondor."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import Any

import pytest

from cluster.sites import Site
from cluster.slurm_bed import SlurmBed, until
from etude.cluster.profile import Profile
from etude.cluster.schedulers.scheduler import Phase
from etude.execute.run_events import EventKind
from projects import CALLED, Project

pytest.importorskip("parsl")
pytestmark = pytest.mark.slow

STEPS = (
    CALLED
    + """
@step
def number(*, value: int) -> int:
    called("number")
    return value

@step
def total(numbers: list[int]) -> int:
    return sum(numbers)

@step
def devices(*, turn: int) -> dict[str, object]:
    time.sleep(1)
    names = ("CUDA_VISIBLE_DEVICES", "SLURM_JOB_ID", "SLURM_JOB_GPUS", "STANDIN_GPUS")
    return {name: os.environ.get(name) for name in names}

@step
def paired(*, ctx: Context, value: int) -> dict[str, object]:
    import torch
    import torch.distributed as dist
    dist.init_process_group("gloo")
    tensor = torch.tensor([value + dist.get_rank()])
    dist.all_reduce(tensor)
    size = dist.get_world_size()
    dist.destroy_process_group()
    return {"sum": int(tensor), "size": size, "host": os.environ.get("SLURMD_NODENAME", "")}

@step
def trained(*, rows: int) -> dict[str, object]:
    import lightning, torch
    from torch.utils.data import DataLoader, TensorDataset

    class Line(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(1, 1)
            self.seen = 0

        def training_step(self, batch, _index):
            self.seen += len(batch[0])
            return torch.nn.functional.mse_loss(self.layer(batch[0]), batch[1])

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    lightning.seed_everything(0)
    x = torch.linspace(-1, 1, rows).unsqueeze(1)
    model = Line()
    trainer = lightning.Trainer(
        accelerator="cpu", strategy="ddp", devices=int(os.environ["LOCAL_WORLD_SIZE"]),
        num_nodes=int(os.environ["GROUP_WORLD_SIZE"]), max_epochs=20, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    )
    trainer.fit(model, DataLoader(TensorDataset(x, 3 * x), batch_size=4))
    weight = model.layer.weight.detach().clone()
    return {"weight": float(weight), "seen": model.seen, "size": trainer.world_size}

@step
def patient(*, ctx: Context, rounds: int) -> dict[str, object]:
    kept = ctx.scratch / "round"
    done = int(kept.read_text()) if kept.exists() else 0
    jobs = (ctx.scratch / "jobs").read_text().split() if (ctx.scratch / "jobs").exists() else []
    jobs.append(os.environ.get("SLURM_JOB_ID", str(os.getppid())))
    (ctx.scratch / "jobs").write_text(" ".join(jobs))
    while done < rounds:
        if ctx.stopping:
            kept.write_text(str(done))
            raise Stopped(f"after {done} rounds")
        time.sleep(0.5)
        done += 1
    return {"rounds": done, "jobs": jobs}
"""
)


def run(project: Project, study: Any, profile: Profile) -> Any:
    result = project.run(study, cluster=profile)
    assert result.succeeded, [failure.outcome for failure in result.summary.failures]
    return result


def read(result: Any, name: str) -> Any:
    return result.value(name)


def journal(project: Project) -> list[dict[str, Any]]:
    [path] = project.folder.glob(".etude/runs/*/cluster/jobs.log")
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_study_runs_on_each_batch_system_and_leaves_no_job_behind(project: Project, site: Site) -> None:
    pipeline = {f"n{i}": ("number", None, {"value": i}) for i in range(6)}
    study = project.write(STEPS).study(pipeline | {"sum": ("total", {"numbers": list(pipeline)})})
    result = run(project, study, replace(site.profile, cpus=2))
    assert read(result, "sum") == 15
    assert len(project.calls()) == 6
    asked = [line["job"] for line in journal(project) if line["what"] == "asked for"]
    assert asked
    look = lambda: site.scheduler.look(asked).values()  # noqa: E731
    until(lambda: all(state.phase is Phase.ENDED for state in look()), "jobs to end", lambda: str(list(look())))


def test_a_pilot_that_is_no_longer_needed_ends_as_completed(project: Project, bed: SlurmBed) -> None:
    if not bed.accounting:
        pytest.skip("no accounting here")
    site = Site("slurm", bed)
    run(project, project.write(STEPS).study({"it": ("number", None, {"value": 1})}), site.profile)
    [asked] = [line["job"] for line in journal(project) if line["what"] == "asked for"]
    word = lambda: site.scheduler.account([asked])[asked].word  # noqa: E731
    until(lambda: word() not in ("PENDING", "RUNNING", "COMPLETING"), "the job to end")
    assert word() == "COMPLETED"


def test_each_node_gets_one_gpu_of_those_that_its_job_was_granted(project: Project, site: Site) -> None:
    pipeline = {f"d{i}": ("devices", None, {"turn": i}, {"gpus": 1}) for i in range(4)}
    result = run(project, project.write(STEPS).study(pipeline), replace(site.profile, cpus=2, gpus=2))
    seen = {read(result, name)["CUDA_VISIBLE_DEVICES"] for name in pipeline}
    assert seen == ({"0", "1"} if site.kind == "slurm" else {"GPU-0", "GPU-1"})


def test_a_node_of_two_processes_finds_its_peers_as_under_torchrun(project: Project, bed: SlurmBed) -> None:
    pipeline = {"it": ("paired", None, {"value": 10}, {"processes": 2})}
    result = run(project, project.write(STEPS).study(pipeline), Site("slurm", bed).profile)
    assert read(result, "it")["sum"] == 21
    assert read(result, "it")["size"] == 2


def test_a_node_of_two_machines_runs_under_srun(project: Project, bed: SlurmBed) -> None:
    pipeline = {"it": ("paired", None, {"value": 10}, {"processes": 2, "nodes": 2})}
    result = run(project, project.write(STEPS).study(pipeline), Site("slurm", bed).profile)
    assert read(result, "it")["sum"] == 21


@pytest.mark.parametrize("machines", [1, 2])
def test_lightning_trains_in_two_processes_without_a_setting(project: Project, bed: SlurmBed, machines: int) -> None:
    pytest.importorskip("lightning")
    on = {"processes": 2, "nodes": machines, "memory_bytes": 2 * 10**9}
    profile = replace(Site("slurm", bed).profile, memory_bytes=4 * 10**9)
    result = run(project, project.write(STEPS).study({"it": ("trained", None, {"rows": 32}, on)}), profile)
    found = read(result, "it")
    assert found["size"] == 2
    assert found["seen"] == 20 * 32 / 2, "each process sees half of the rows"
    assert found["weight"] == pytest.approx(3.0, abs=0.2)


def test_a_job_that_the_scheduler_refuses_fails_the_run_with_its_words(project: Project, bed: SlurmBed) -> None:
    study = project.write(STEPS).study({"it": ("number", None, {"value": 1})})
    result = project.run(study, cluster=replace(Site("slurm", bed).profile, partition="nowhere"))
    assert not result.succeeded
    [failure] = result.summary.failures
    assert "there is no partition nowhere" in failure.outcome.error
    assert failure.attempts == 1


def test_what_is_edited_after_submission_does_not_reach_nodes_that_wait(project: Project, bed: SlurmBed) -> None:
    site = Site("slurm", bed)
    site.hold_back()
    study = project.write(STEPS).study({"it": ("number", None, {"value": 7})})

    def edit() -> None:
        until(lambda: bool(bed.jobs("PENDING")), "a job to wait")
        module = project.folder / f"{project.module}.py"
        module.write_text(module.read_text().replace("return value", "return -value"))
        site.let_go()

    thread = threading.Thread(target=edit)
    thread.start()
    result = run(project, study, site.profile)
    thread.join()
    assert read(result, "it") == 7


def test_a_node_is_warned_before_its_job_ends_and_goes_on_in_another(project: Project, bed: SlurmBed) -> None:
    profile = replace(Site("slurm", bed).profile, walltime_s=30, grace_s=10)
    result = run(project, project.write(STEPS).study({"it": ("patient", None, {"rounds": 60})}), profile)
    found = read(result, "it")
    assert found["rounds"] == 60
    assert len(set(found["jobs"])) >= 2, "it went on in another job"
    retries = [event for event in project.events if event.kind is EventKind.RETRY]
    assert not retries, "and that cost no attempt"
