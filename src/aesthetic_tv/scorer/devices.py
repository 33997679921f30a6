"""Which device computes, and in which numbers it is fast: decided here, for all that computes."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch

from .errors import SettingError

# By preference; what is there is looked up anew each time.
_AVAILABLE: Mapping[str, Callable[[], bool]] = {
    "cuda": lambda: torch.cuda.is_available(),
    "mps": lambda: torch.backends.mps.is_available(),
    "xpu": lambda: torch.xpu.is_available(),
    "cpu": lambda: True,
}
AUTO = "auto"
DEVICES = (AUTO, "cpu", "cuda", "mps", "xpu")


def available_devices() -> tuple[str, ...]:
    """Kinds of devices that PyTorch can use here, the preferred one first, `cpu` last."""
    return tuple(kind for kind, there in _AVAILABLE.items() if there())


def choose_device(name: str | torch.device = AUTO) -> torch.device:
    """The device of a name.

    Args:
        name: `auto`: CUDA, MPS, XPU or the CPU, the first of them that is there; or one of them,
            with a number where there are several, such as `cuda:1`.

    Raises:
        SettingError: an unknown name, or a device that is not there; says what is.
    """
    there = available_devices()
    if name == AUTO:
        return torch.device(there[0])
    kind, colon, number = str(name).partition(":")
    if kind not in DEVICES[1:] or (colon and not number.isdecimal()):
        raise SettingError(f"device is {str(name)!r}; expected one of {', '.join(DEVICES)}.")
    device = torch.device(str(name))
    if kind not in there:
        raise SettingError(
            f"device {kind} is not there; PyTorch finds {', '.join(there)} here. Name one of them, "
            "or auto."
        )
    count = count_devices(kind)
    if number and int(number) >= count:
        raise SettingError(f"device {name} is not there; there is {kind}:0 to {kind}:{count - 1}.")
    return device


def count_devices(kind: str) -> int:
    """How many of a kind that is there: 1 of those that only ever come alone."""
    return 1 if kind in ("cpu", "mps") else torch.get_device_module(kind).device_count()


def fast_dtype(device: torch.device) -> torch.dtype:
    """What matrix products are fastest in: bfloat16 where the device multiplies in it natively,
    float32 elsewhere.
    """
    return torch.bfloat16 if _native_bfloat16(device) else torch.float32


def trains_in_bfloat16(device: torch.device) -> bool:
    """Whether fine-tuning multiplies in bfloat16 there unless told otherwise: on accelerators that
    do so natively.
    """
    return device.type != "cpu" and fast_dtype(device) is torch.bfloat16


def _native_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "xpu":
        return torch.xpu.is_bf16_supported()
    if device.type == "cpu" and hasattr(torch.cpu, "get_capabilities"):
        found = torch.cpu.get_capabilities()
        return bool(found.get("avx512_bf16") or found.get("amx_bf16"))
    return False


@contextmanager
def own_randomness(device: torch.device) -> Iterator[None]:
    """What is drawn meanwhile, here and on the device, changes no random number after it."""
    if device.type in ("cpu", "mps"):  # fork_rng knows no generator of MPS
        with torch.random.fork_rng(devices=[]):
            yield
    else:
        with torch.random.fork_rng(devices=[device], device_type=device.type):
            yield


def wait_for(device: torch.device) -> None:
    """Until a device has computed all it was asked to, so that a clock tells the truth."""
    if device.type == "mps":
        torch.mps.synchronize()
    elif device.type != "cpu":
        torch.get_device_module(device).synchronize(device)


def release_memory() -> None:
    """Give back what the devices here keep for later."""
    for kind in available_devices():
        if kind != "cpu":
            torch.get_device_module(kind).empty_cache()
