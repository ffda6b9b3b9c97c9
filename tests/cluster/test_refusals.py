"""What schedulers and shells say of a profile that does not fit comes out as one plain sentence with a mend."""

from __future__ import annotations

import pytest

from etude.cluster.refusals import refusal

SBATCH = "Failed to start block 0: Cannot launch job parsl.x.block-0: Could not read job ID; recv_exitcode 1; stderr: "


@pytest.mark.parametrize(
    ("words", "meaning", "key"),
    [
        (
            f"{SBATCH}sbatch: error: invalid partition specified: nope\nsbatch: error: Batch",
            "no partition nope",
            "partition",
        ),
        ("sbatch: error: Invalid partition name specified", "no partition of that name", "partition"),
        ("qsub: Unknown queue", "no queue", "queue"),
        ("sbatch: error: Invalid account or account/partition combination specified", "account may not", "account"),
        ("sbatch: error: Requested node configuration is not available", "no machine has", "gpus"),
        ("/bin/sh: 3: /opt/py/bin/python9: not found", "find no /opt/py/bin/python9", "python"),
        ("bash: line 4: python9: command not found", "find no python9", "python"),
        ("ModuleNotFoundError: No module named 'parsl'", "has no package parsl", "setup"),
    ],
)
def test_known_words_become_a_sentence_with_the_key_that_mends_it(words: str, meaning: str, key: str) -> None:
    said = refusal(words, "site")
    assert said is not None
    assert meaning in said.split("Mend:")[0]
    assert key in said.split("Mend:")[1]
    assert "recv_exitcode" not in said


def test_words_that_nobody_knows_are_left_to_be_shown_as_they_are() -> None:
    assert refusal("slurm_load_jobs error: Unable to contact slurm controller", "site") is None
