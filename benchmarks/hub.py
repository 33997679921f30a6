"""What a bank of task vectors takes: bytes, time and memory, for each kind of storage.

    python benchmarks/hub.py [--folder EMPTY_FOLDER]

A bank shaped like ViT-B/16 with random weights, K = 6 vectors, about 2.1 GB in float32. Each figure
is taken in a process of its own. Files are read once before, so that times are those of files that
the system has in its cache; what a disk adds is the same for every method.

Loading and merging a personalization is compared with reading the same bytes and one pass over the
vectors: the least that anyone could do who trusts the files blindly. Ours also verifies SHA-256
fingerprints of base and vectors; what that alone takes is in a column of its own.

Pushes and pulls go over HTTP to the Hub of the tests, in another process on the same machine, which
keeps what arrives on disk: what they take here is hashing, copying and the client, not a network.
"""

import argparse
import hashlib
import importlib.util
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from rich import box
from rich.table import Table

from aesthetic_tv.hub.repos import Access, resolve
from aesthetic_tv.personalization import (
    Calibration,
    Figures,
    PaperSolver,
    Personalization,
    Preferences,
    Problem,
)
from aesthetic_tv.saved_folders import push_folder
from aesthetic_tv.scorer import AestheticScorer, AestheticScorerConfig
from aesthetic_tv.task_vectors import BankReference, BaseReference, TaskVector, TaskVectorBank
from common import machine, show

STORAGES = ("float32", "float16", "bfloat16", "int8", "int4", "int3", "int2")
VIT_B_16 = {
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "projection_dim": 512,
    "image_size": 224,
    "patch_size": 16,
}
VIT_L_14 = {
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "projection_dim": 768,
    "image_size": 224,
    "patch_size": 14,
}
TASKS = 6
OVER_HTTP = ("float32", "int4")  # storages that are also pushed and pulled
ONCE = ("build", "personalize", "save", "fit", "push")  # a second push would find its files there
HUB_SERVER = Path(__file__).parents[1] / "tests" / "hub_server.py"
PIECE = 2**24  # bytes


def scorer(tower: dict) -> AestheticScorer:
    torch.manual_seed(0)
    made = AestheticScorer(AestheticScorerConfig(vision_config=tower)).eval()
    made.reset_head(0)
    return made


def bank_of(base: AestheticScorer) -> TaskVectorBank:
    """Of random vectors."""
    reference, generator = BaseReference.of(base), torch.Generator().manual_seed(0)
    vectors = [
        TaskVector(
            {k: 1e-3 * torch.randn(p.shape, generator=generator)
             for k, p in base.named_parameters()}, reference, name=f"task {k}",
        )
        for k in range(TASKS)
    ]  # fmt: skip
    return TaskVectorBank(base, vectors)


def build(folder: Path, storage: str, options) -> None:
    """The float32 bank with random vectors, and a personalization made with it."""
    base = scorer(VIT_B_16 | {"num_hidden_layers": options.layers})
    bank_of(base).save_pretrained(folder / "float32")


def save(folder: Path, storage: str, options) -> None:
    """Save the float32 bank, which is read layer by layer, in another storage."""
    bank = TaskVectorBank.from_pretrained(folder / "float32")
    began = time.perf_counter()
    target = folder / ("again" if storage == "float32" else storage)
    bank.save_pretrained(target, storage=storage)
    report(began)


def personalize(folder: Path, storage: str, options) -> None:
    """Write a personalization, to be loaded by `load_and_merge`."""
    bank = TaskVectorBank.from_pretrained(folder / storage)
    personalization(bank.layers, bank.reference).save_pretrained(folder / f"mine-{storage}")


def load(folder: Path, storage: str, options) -> None:
    began = time.perf_counter()
    TaskVectorBank.from_pretrained(folder / storage)
    report(began)


def merge(folder: Path, storage: str, options) -> None:
    """Merge alone, of a bank that is loaded."""
    bank = TaskVectorBank.from_pretrained(folder / storage)
    alpha = torch.full((len(bank.layers), TASKS), 1 / TASKS)
    began = time.perf_counter()
    bank.merge(alpha)
    report(began)


def load_and_merge(folder: Path, storage: str, options) -> None:
    """From a personalization's folder to the personal scorer."""
    began = time.perf_counter()
    Personalization.from_pretrained(folder / f"mine-{storage}").merge(folder / storage)
    report(began)


def fit(folder: Path, storage: str, options) -> None:
    """Two steps of the paper solver on 4 photos, for the memory."""
    bank = TaskVectorBank.from_pretrained(folder / storage)
    photos, ratings = torch.randn(4, 3, 224, 224), {0: 1, 1: 2, 2: 3, 3: 4}
    start = torch.full((len(bank.layers), TASKS), 1 / TASKS)
    began = time.perf_counter()
    problem = Problem(bank, photos, Preferences.from_ratings(ratings), start)
    PaperSolver(iterations=2).solve(problem)
    report(began)


def push(folder: Path, storage: str, options) -> None:
    """Push a saved bank with its card, to a repo that is not there yet."""
    began = time.perf_counter()
    push_folder(folder / storage, repo(storage), {})
    report(began)


def pull(folder: Path, storage: str, options) -> None:
    """Fetch a bank into an empty cache, every file checked against the repo's hashes."""
    with tempfile.TemporaryDirectory(dir=folder) as cache:
        began = time.perf_counter()
        resolve(repo(storage), access=Access(cache_dir=cache))
        report(began)


def copy(folder: Path, storage: str, options) -> None:
    """What pushing and pulling come down to: the bytes read, written, and hashed once."""
    with tempfile.TemporaryDirectory(dir=folder) as target:
        began = time.perf_counter()
        digest = hashlib.sha256()
        with (Path(target) / "copy").open("wb") as file:
            for piece in pieces(folder / storage):
                digest.update(piece)
                file.write(piece)
        report(began)


def repo(storage: str) -> str:
    return f"alice/bank-{storage}"


def read_and_pass(folder: Path, storage: str, options) -> None:
    """The least there is to do: all bytes from the files, one weighted sum over K vectors."""
    with torch.device("meta"):
        empty = AestheticScorer(AestheticScorerConfig(
            vision_config=VIT_B_16 | {"num_hidden_layers": options.layers}))  # fmt: skip
    merged = torch.zeros(sum(p.numel() for p in empty.parameters()))
    tau = torch.ones(merged.numel())
    began = time.perf_counter()
    for _ in pieces(folder / storage):
        pass
    for _ in range(TASKS):
        merged.add_(tau, alpha=1 / TASKS)
    report(began)


def fingerprints(folder: Path, storage: str, options) -> None:
    """SHA-256 of as many bytes as the decoded base and vectors have."""
    began = time.perf_counter()
    digest = hashlib.sha256()
    for piece in pieces(folder / "float32"):
        digest.update(piece)
    report(began)


def nothing(folder: Path, storage: str, options) -> None:
    """The memory of a process that has imported everything."""
    report(time.perf_counter())


def pieces(folder: Path):
    """All bytes of a bank's tensors, through one buffer."""
    buffer = bytearray(PIECE)
    for path in sorted(folder.rglob("*.safetensors")):
        with path.open("rb", buffering=0) as file:
            while count := file.readinto(buffer):
                yield memoryview(buffer)[:count]


MEASUREMENTS: dict[str, Callable] = {
    function.__name__: function
    for function in (
        build, save, personalize, load, merge, load_and_merge, fit, push, pull, copy, read_and_pass,
        fingerprints, nothing,
    )
}  # fmt: skip


def report(began: float) -> None:
    """Seconds since `began`, and the peak memory of this process in bytes, as a line of JSON."""
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "peak": peak}))


def measure(
    name: str, folder: Path, storage: str, options, environment: Mapping[str, str] | None = None
) -> dict[str, float]:
    """One measurement in a process of its own, the median of `repeats` by time."""
    command = [sys.executable, __file__, "--folder", folder, "--measure", name, "--storage",
               storage, "--layers", str(options.layers)]  # fmt: skip
    results = []
    for _ in range(1 if name in ONCE else options.repeats):
        # From its start, because huggingface_hub reads its environment when it is imported.
        done = subprocess.run(
            command, capture_output=True, text=True, env={**os.environ, **(environment or {})}
        )
        if done.returncode:
            raise SystemExit(f"{name} of {storage} failed:\n{done.stderr}")
        lines = done.stdout.strip().splitlines()
        results.append(json.loads(lines[-1]) if lines else {})
    return sorted(results, key=lambda result: result.get("seconds", 0))[len(results) // 2]


def personalization(layers: tuple[str, ...], reference: BankReference) -> Personalization:
    """A personalization with every field filled, as after a fit to 100 ratings."""
    return Personalization(
        torch.randn(len(layers), len(reference.vectors)) * 0.1,
        layers,
        tuple(reference.vectors),
        reference,
        {"name": "paper", **PaperSolver().settings(), "initialization": "adaptive"},
        Calibration((4.8, 4.9, 5.0, 5.1, 5.2, 5.3), (1.0, 1.5, 2.5, 3.5, 4.5, 5.0)),
        Figures("srocc", 0.5, 0.4, 0.1, (-0.01, 0.2), 100, 4000),
    )


def personalization_bytes(tower: dict) -> int:
    """Bytes on disk of a personalization with K = 6."""
    with torch.device("meta"):
        shape = AestheticScorer(AestheticScorerConfig(vision_config=tower))
    layers = tuple(name for name, _ in shape.named_parameters())
    hashes = {f"task {k}": hashlib.sha256(bytes([k])).hexdigest() for k in range(TASKS)}
    reference = BankReference("0" * 64, hashes, "owner/aesthetic-bank-l14", "0" * 40)
    with tempfile.TemporaryDirectory() as folder:
        personalization(layers, reference).save_pretrained(Path(folder) / "mine")
        return sum(path.stat().st_size for path in (Path(folder) / "mine").iterdir())


def vector_bytes(folder: Path) -> int:
    """Bytes of the K task vector files of a bank."""
    return sum(path.stat().st_size for path in folder.glob("vectors/*/*.safetensors"))


def compare(folder: Path, options) -> None:
    """All storages, one row each; times in seconds, memory in models of float32."""
    measure("build", folder, "float32", options)
    imports = measure("nothing", folder, "float32", options)["peak"]
    full = vector_bytes(folder / "float32")
    model = full / TASKS
    checks = measure("fingerprints", folder, "float32", options)["seconds"]
    columns = ("storage", "MB", "of float32", "save", "load", "merge", "personalization", "read",
               "ratio", "less checks", "peak: load and merge", "peak: save")  # fmt: skip
    table = Table(*columns, box=box.MARKDOWN)
    for storage in options.storages:
        saved = measure("save", folder, storage, options)
        measure("personalize", folder, storage, options)
        loaded, merged, both, least = (
            measure(name, folder, storage, options)
            for name in ("load", "merge", "load_and_merge", "read_and_pass")
        )
        size = vector_bytes(folder / storage)
        table.add_row(
            storage,
            f"{size / 1e6:.1f}",
            f"{size / full:.1%}",
            f"{saved['seconds']:.1f}",
            f"{loaded['seconds']:.2f}",
            f"{merged['seconds']:.2f}",
            f"{both['seconds']:.2f}",
            f"{least['seconds']:.2f}",
            f"{both['seconds'] / least['seconds']:.2f}",
            f"{(both['seconds'] - checks) / least['seconds']:.2f}",
            *(f"{(result['peak'] - imports) / model:.1f}" for result in (both, saved)),
        )
    show(
        f"\nA bank like ViT-B/16, K = {TASKS}, {options.layers} blocks; one model in float32 is "
        f"{model / 1e6:.0f} MB. Times in seconds, median of {options.repeats}. personalization: "
        "from its folder to the personal scorer, bank included; read: the same bytes and one pass "
        f"over the vectors; ratio: of the two; less checks: without the {checks:.2f} s of SHA-256 "
        "over base and vectors. Peaks in models, beyond "
        f"{imports / 1e6:.0f} MB of imports.\n",
        table,
    )
    for storage in {"float32", "int4"} & set(options.storages):
        fitted = measure("fit", folder, storage, options)
        show(
            f"Two steps of the paper solver on 4 photos, {storage} bank: {fitted['seconds']:.0f} s,"
            f" peak {(fitted['peak'] - imports) / model:.1f} models (activations included)."
        )


def compare_over_http(folder: Path, options) -> None:
    """Push and pull through a Hub on the loopback, beside a copy of the same bytes."""
    storages = [storage for storage in options.storages if storage in OVER_HTTP]
    if not storages:
        return
    imports = measure("nothing", folder, "float32", options)["peak"]
    columns = ("storage", "MB", "push", "pull", "copy and hash", "peak: push", "peak: pull")
    table = Table(*columns, box=box.MARKDOWN)
    server = hub_server().HubServer(folder)
    environment = {
        "HF_ENDPOINT": server.url,
        "HF_TOKEN": next(iter(server.tokens)),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_OFFLINE": "0",
        "HF_HOME": str(folder / "home"),
    }
    try:
        for storage in storages:
            pushed, pulled, copied = (
                measure(name, folder, storage, options, environment)
                for name in ("push", "pull", "copy")
            )
            size = sum(path.stat().st_size for path in (folder / storage).rglob("*.safetensors"))
            table.add_row(
                storage,
                f"{size / 1e6:.1f}",
                *(f"{result['seconds']:.2f}" for result in (pushed, pulled, copied)),
                *(f"{(result['peak'] - imports) / 1e6:.0f} MB" for result in (pushed, pulled)),
            )
    finally:
        server.stop()
    show(
        "\nPushing that bank, base included, to a Hub on the same machine, and pulling it into an "
        "empty cache. Times in seconds; pull and copy are medians of "
        f"{options.repeats}, a push is made once. A push loads the folder first, so that nothing "
        "damaged is published, and draws its card. Peaks beyond "
        f"{imports / 1e6:.0f} MB of imports.\n",
        table,
    )


def hub_server():
    """The Hub of the tests, which are no package."""
    spec = importlib.util.spec_from_file_location("hub_server", HUB_SERVER)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="for the files, about 10 GB; kept when given")
    parser.add_argument("--storages", nargs="+", choices=STORAGES, default=list(STORAGES))
    parser.add_argument("--layers", type=int, default=12, help="blocks of the tower")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--measure", choices=MEASUREMENTS, help=argparse.SUPPRESS)
    parser.add_argument("--storage", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        MEASUREMENTS[options.measure](options.folder, options.storage, options)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        compare(folder, options)
        compare_over_http(folder, options)
    show(f"\nA personalization for ViT-L/14, K = {TASKS}: "
         f"{personalization_bytes(VIT_L_14) / 1024:.1f} KB of the 64 KB aimed at.")  # fmt: skip
    show(f"\n{machine()}")


if __name__ == "__main__":
    main()
