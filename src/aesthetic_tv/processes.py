"""The processes that a launcher started, and this one among them."""

from datetime import timedelta

from accelerate import PartialState
from accelerate.utils import parse_flag_from_env

from aesthetic_tv.errors import SettingError

PATIENCE = timedelta(days=7)  # one may be done long before the others are


def joined(device: str = "auto") -> PartialState:
    """This process among those of `accelerate launch` or `torchrun`, or alone.

    Args:
        device: the kind to compute on; `auto` is what accelerate finds.

    Raises:
        SettingError: accelerate computes on another.

    On CPUs `ACCELERATE_USE_CPU=true` must be said before, or each process thinks it is alone:
    `PartialState` by itself looks at GPUs only.
    """
    on_cpu = device == "cpu" or parse_flag_from_env("ACCELERATE_USE_CPU")
    state = PartialState(cpu=on_cpu, timeout=PATIENCE)
    if device not in ("auto", state.device.type):
        raise SettingError(
            f"device is {device}, but the processes compute on {state.device.type}; leave it out, "
            "or start them for that device."
        )
    return state


def left() -> None:
    """Take the processes apart, where this one joined others."""
    if PartialState._shared_state:
        joined().destroy_process_group()
