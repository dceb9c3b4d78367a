"""Joining a Ray cluster, or starting Ray on this machine."""

from __future__ import annotations

import logging
import math
import os
import signal

from grasp_bench.core.errors import GraspBenchError
from grasp_bench.core.extras import require
from grasp_bench.engine.ray_actors import interrupt

OBJECT_STORE_BYTES = 100 << 20  # artefacts go through the store, hardly anything through Ray


def cluster_address() -> str | None:
    """Address of the cluster to join, from $RAY_ADDRESS; None to start Ray here."""
    address = os.environ.get("RAY_ADDRESS", "local")
    return None if address in ("", "local") else address


def connect(cpus: int) -> bool:
    """Join the cluster, or start Ray with so many CPUs; False when there is a connection already."""
    ray = require("ray", extra="ray")
    if ray.is_initialized():
        return False
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # or Ray warns about a change to come
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    address = cluster_address()
    local = {"num_cpus": cpus, "object_store_memory": OBJECT_STORE_BYTES, "include_dashboard": False}
    on_term = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address=address or "local", **quiet, **({} if address else local))
    except Exception as error:  # Ray raises a bare one when it has not started in time
        ray.shutdown()
        said = next(iter(str(error).strip().splitlines()), type(error).__name__)
        mend = (
            "check that RAY_ADDRESS runs the same Ray and Python, and RAY_AUTH_MODE"
            if address
            else "Ray gives up when the cores are busy: try again later, or --executor process_pool"
        )
        raise GraspBenchError(f"Ray at {address or 'this machine'}: {said}", mend=mend) from error
    finally:
        signal.signal(signal.SIGTERM, on_term)  # Ray puts an exit of its own there
    return True


def check_room(workers: int, cpus: int, gpus: float) -> None:
    """GraspBenchError when the cluster is too small: what fits nowhere would be waited for for ever."""
    there = require("ray", extra="ray").cluster_resources()
    for kind, each in (("CPU", cpus), ("GPU", gpus)):
        if each * workers > there.get(kind, 0):
            wanted = f"{workers} workers of {each:g} {kind} each"
            raise GraspBenchError(
                f"{wanted} do not fit: Ray has {there.get(kind, 0):g} {kind}", mend="pass fewer --workers"
            )


def gpu_share(devices: list[str]) -> float:
    """GPUs for one worker: whole ones of a cluster, shares of this machine's when workers outnumber them."""
    if devices[0] == "cpu":
        return 0.0
    repeats = max(map(devices.count, devices)) if cluster_address() is None else 1
    return math.floor(10_000 / repeats) / 10_000  # Ray keeps four digits; six rounded sixths fit on no GPU


def terminate(node: str, process: int) -> None:
    """Send SIGTERM to a process from its own node: Ray cannot cancel what an actor is at."""
    ray = require("ray", extra="ray")
    strategies = require("ray.util.scheduling_strategies", extra="ray")
    there = strategies.NodeAffinitySchedulingStrategy(node, soft=False)
    ray.remote(interrupt).options(num_cpus=0, scheduling_strategy=there).remote(process)
