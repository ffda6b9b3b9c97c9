"""Kubernetes' pods."""

from __future__ import annotations

import json
import re
from typing import Any

from etude.cluster.job import Job
from etude.cluster.profile import Profile
from etude.cluster.scripts.shell import body, mebibytes


def pod(profile: Profile, job: Job) -> dict[str, Any]:
    """The pod of a job, as the interface of Kubernetes takes it."""
    amounts: dict[str, str] = {"cpu": str(job.cpus or 1)}
    if job.memory_bytes:
        amounts["memory"] = f"{mebibytes(job.memory_bytes)}Mi"
    if job.gpus:
        amounts[profile.gpus_as or "nvidia.com/gpu"] = str(job.gpus)
    name = re.sub(r"[^a-z0-9-]+", "-", job.name.lower()).strip("-")[:60]
    container = {
        "name": "job",
        "image": profile.image,
        "command": ["/bin/bash", "-c", "\n".join(body(profile, job))],
        "resources": {"requests": dict(amounts), "limits": dict(amounts)},
        "volumeMounts": [{"name": claim, "mountPath": place} for claim, place in profile.volumes.items()],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": profile.namespace, "labels": {"app": "etude"}},
        "spec": {
            "restartPolicy": "OnFailure" if job.requeue else "Never",
            "activeDeadlineSeconds": round(job.walltime_s),
            "containers": [container],
            "volumes": [{"name": claim, "persistentVolumeClaim": {"claimName": claim}} for claim in profile.volumes],
        },
    }


def manifest(profile: Profile, job: Job, _script_path: str) -> str:
    """The same as text; JSON, which is YAML as well."""
    return json.dumps(pod(profile, job), indent=2) + "\n"
