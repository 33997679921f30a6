"""The processes that a launcher started, and this one among them."""

from datetime import timedelta

from accelerate import PartialState
from accelerate.utils import parse_flag_from_env

PATIENCE = timedelta(days=7)  # one may be done long before the others are


def joined() -> PartialState:
    """This process among those of `accelerate launch` or `torchrun`, or alone.

    On CPUs `ACCELERATE_USE_CPU=true` must be said before, or each process thinks it is alone:
    `PartialState` by itself looks at GPUs only.
    """
    return PartialState(cpu=parse_flag_from_env("ACCELERATE_USE_CPU"), timeout=PATIENCE)


def left() -> None:
    """Take the processes apart, where this one joined others."""
    if PartialState._shared_state:
        joined().destroy_process_group()
