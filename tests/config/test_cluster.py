"""Cluster profiles: what they say, and every way in which one can be wrong."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest

from etude.cluster.profile import Mail, Profile
from etude.config.cluster import profile_schema, read_profile, ready_profiles
from etude.config.yaml12 import parse_yaml
from etude.errors import ConfigError, Fault
from etude.keys import section_of, type_of


def read(folder: Path, text: str) -> Profile:
    path = folder / "here.yaml"
    path.write_text(text)
    return read_profile(str(path), folder)


def faults(folder: Path, text: str) -> list[Fault]:
    with pytest.raises(ConfigError) as error:
        read(folder, text)
    return list(error.value.faults)


def test_a_profile_says_how_a_cluster_is_used(tmp_path: Path) -> None:
    profile = read(
        tmp_path,
        """
scheduler: slurm
partition: gpu
walltime: 2h
memory: 4GiB
gpus: 2
grace: 5m
blocks: {min: 1, max: 3, idle: 30s}
mail: {to: me@example.org}
ports: [5000, 5010]
gpu: {partition: big, cpus: 12}
""",
    )
    assert (profile.name, profile.partition, profile.walltime_s) == ("here", "gpu", 7200.0)
    assert (profile.memory_bytes, profile.gpus, profile.grace_s) == (4 * 2**30, 2, 300.0)
    assert (profile.blocks.least, profile.blocks.most, profile.blocks.idle_s) == (1, 3, 30.0)
    assert profile.mail == Mail(to="me@example.org")
    assert profile.ports == (5000, 5010)


def test_what_is_different_for_gpus_is_laid_over_the_rest_for_jobs_that_have_some(tmp_path: Path) -> None:
    profile = read(tmp_path, "scheduler: slurm\npartition: cpu\ngpus: 4\ngpu: {partition: big, cpus: 12}\n")
    assert (profile.for_gpus(4).partition, profile.for_gpus(4).cpus) == ("big", 12)
    assert (profile.for_gpus(0).partition, profile.for_gpus(0).gpus) == ("cpu", 0)


@pytest.mark.parametrize("name", sorted(ready_profiles()))
def test_every_ready_profile_is_whole_and_fits_the_schema(name: str, tmp_path: Path) -> None:
    assert read_profile(name, tmp_path).description
    path = ready_profiles()[name]
    jsonschema.validate(parse_yaml(path.read_text(), str(path)).tree, profile_schema())


def test_every_key_has_an_example_that_fits(tmp_path: Path) -> None:
    for name, key in section_of(Profile).keys.items():
        found: list[Fault] = []
        type_of(key).read(key.example, name, found)
        assert found == [], name


@pytest.mark.parametrize(
    ("text", "path", "reason", "mend"),
    [
        ("scheduler: slrum", "scheduler", "expected one of", "did you mean 'slurm'?"),
        ("walltime: 1h", "scheduler", "needs 'scheduler'", "add scheduler"),
        ("scheduler: slurm\npartitionn: x", "partitionn", "has no key", "did you mean 'partition'?"),
        ("scheduler: slurm\nworker_init: x", "worker_init", "has no key", "write setup"),
        ("scheduler: pbs\npartition: x", "partition", "pbs has no partition", "write queue"),
        ("scheduler: slurm\nqueue: x", "queue", "slurm has no queue", "write partition"),
        ("scheduler: lsf\nqos: x", "qos", "belongs to slurm", "remove it"),
        ("scheduler: slurm\ngpus: 1\ngpu: {queue: x}", "gpu.queue", "slurm has no queue", "write partition"),
        ("scheduler: kubernetes", "image", "needs the image", "add image"),
        ("scheduler: htcondor\nnodes: 2", "nodes", "one machine", "more blocks"),
        ("scheduler: pbs\nlaunch: srun", "launch", "belongs to slurm", "mpiexec"),
        ("scheduler: slurm\nblocks: {min: 3, max: 2}", "blocks.min", "above blocks.max (2)", "raise"),
        ("scheduler: slurm\nblocks: {min: 3}", "blocks.min", "above blocks.max (1)", "raise"),
        ("scheduler: slurm\ngpus_as: '--gres=gpu:{gpus}'", "gpus_as", "none are", "add gpus"),
        ("scheduler: slurm\ngpu: {partition: x}", "gpu", "there are none", "add gpus"),
        ("scheduler: slurm\nworkers: 8\ncpus: 4", "workers", "there are 4 cores", "raise cpus"),
        ("scheduler: slurm\nwalltime: 3m\ngrace: 2m", "grace", "more than half of the walltime", "lower"),
        ("scheduler: slurm\nports: [9, 3]", "ports", "the first and the last port", ""),
        ("scheduler: slurm\nwalltime: 2 hours", "walltime", "expected a duration", ""),
        ("scheduler: slurm\nmemory: much", "memory", "expected a size", ""),
        ("scheduler: slurm\nmail: {to: me}", "mail.to", "expected an address", ""),
        ("scheduler: slurm\nmail: {about: [end]}", "mail.to", "needs 'to'", "add to"),
        ("scheduler: slurm\ncpus: 0", "cpus", "1 or more", ""),
        ("scheduler: slurm\nenvironment: {A-B: x}", "environment.A-B", "a variable's name", ""),
    ],
)
def test_what_is_wrong_is_told_with_place_reason_and_mend(
    tmp_path: Path, text: str, path: str, reason: str, mend: str
) -> None:
    [fault] = [fault for fault in faults(tmp_path, text) if fault.path == path]
    assert reason in fault.reason
    assert mend in fault.mend
    assert fault.file.endswith("here.yaml")


def test_all_faults_are_told_together_in_the_order_of_the_file(tmp_path: Path) -> None:
    found = faults(tmp_path, "scheduler: pbs\npartition: gpu\nimage: foo\ncpus: none\n")
    assert [fault.line for fault in found] == [2, 3, 4]


def test_a_profile_of_the_project_comes_before_a_ready_one_of_the_same_name(tmp_path: Path) -> None:
    (tmp_path / "cluster").mkdir()
    (tmp_path / "cluster" / "slurm.yaml").write_text("scheduler: slurm\npartition: own\n")
    assert read_profile("slurm", tmp_path).partition == "own"


@pytest.mark.parametrize(("where", "told"), [("slrum", "did you mean 'slurm'?"), ("cluster/none.yaml", "known: ")])
def test_a_profile_that_is_not_there_is_told_with_those_that_are(tmp_path: Path, where: str, told: str) -> None:
    with pytest.raises(ConfigError) as error:
        read_profile(where, tmp_path)
    assert told in str(error.value)
    assert where in str(error.value)
