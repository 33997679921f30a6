"""What a scorer's folder holds beside the weights, and the checks that it holds it unharmed."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .errors import ScorerError
from .hashing import content_sha256, sha256

# Folders that hold a scorer in pieces, by the file that marks them, and what puts it together.
# The package fills it: the scorer depends on nobody.
ASSEMBLERS: dict[str, Callable[..., Any]] = {}
BANK_MARKER = "bank_config.json"
PROBLEMS = ("missing_keys", "unexpected_keys", "mismatched_keys")  # of transformers' loading info
CONFIG_HASH, ABSENT = "config_sha256", object()

REMOTE_CODE = (
    "checkpoint.py",
    "colour.py",
    "configuration_aesthetic_scorer.py",
    "decoding.py",
    "errors.py",
    "hashing.py",
    "images.py",
    "modeling_aesthetic_scorer.py",
    "passes.py",
    "photo_files.py",
    "pipeline.py",
    "processors.py",
    "raw.py",
    "tensor_pixels.py",
    "towers.py",
)
_MODEL = "modeling_aesthetic_scorer.AestheticScorer"
REMOTE_CONFIG = {
    "auto_map": {
        "AutoConfig": "configuration_aesthetic_scorer.AestheticScorerConfig",
        "AutoModel": _MODEL,
        "AutoModelForImageClassification": _MODEL,
    },
    "custom_pipelines": {
        "aesthetic-scoring": {
            "impl": "pipeline.AestheticScoringPipeline",
            "pt": ["AutoModel"],
            "type": "image",
        }
    },
}


def assembler_of(folder: Path) -> Callable[..., Any] | None:
    """What puts a scorer together from this folder; `None` for a whole one."""
    held = [assembler for marker, assembler in ASSEMBLERS.items() if (folder / marker).is_file()]
    return held[0] if held else None


def check_kind(folder: Path, expected: str) -> None:
    """Raise `ScorerError` unless the folder holds the config of a full scorer."""
    if (folder / BANK_MARKER).is_file():
        raise ScorerError(
            f"{folder} holds a bank of task vectors, which is many scorers and not one. Load it "
            "with TaskVectorBank.from_pretrained, and personalize it or take its task_scorer."
        )
    try:
        kind = json.loads((folder / "config.json").read_text("utf-8")).get("model_type")
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise ScorerError(
            f"{folder} holds no aesthetic scorer: it has no config.json that can be read "
            f"({type(error).__name__}), and none of a personalization or a task vector."
        ) from error
    if kind != expected:
        raise ScorerError(
            f"{folder} holds a {kind!r} model and no aesthetic scorer; of a vision model, "
            "AestheticScorer.from_tower makes a base."
        )


def check_files(folder: Path) -> None:
    """Raise `ScorerError` when the config is not as it was saved, or a weights file is not the one
    that was saved with it.

    A flipped bit makes a wrong model that nothing else notices.
    """
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
        told, own = config.get(CONFIG_HASH, ABSENT), _config_sha256(config)
    except (ValueError, AttributeError, RecursionError) as error:
        raise ScorerError(
            f"{folder / 'config.json'} is damaged ({type(error).__name__}); fetch or save it again."
        ) from error
    if told not in (ABSENT, own):
        raise ScorerError(
            f"{folder / 'config.json'} is damaged: its content hash is {own[:12]}, expected "
            f"{str(told)[:12]}; fetch or save it again. Where you changed it yourself, take the "
            f"line {CONFIG_HASH} out of it."
        )
    expected = config.get("weights_sha256")
    if expected is None:  # saved by something else
        return
    if not isinstance(expected, dict):
        raise ScorerError(
            f"{folder / 'config.json'}: weights_sha256 is {expected!r}; expected a hash for each "
            "weights file. Fetch or save it again."
        )
    found = hashes(folder)
    names = sorted({*expected, *found})
    if damaged := [name for name in names if expected.get(name) != found.get(name)]:
        raise ScorerError(
            f"{folder}: {', '.join(damaged[:3])} does not hold what config.json says: the hash "
            "differs. One of the two was changed or damaged; fetch or save both again."
        )


def _config_sha256(config: Mapping[str, Any]) -> str:
    # Less what has been compared already, by itself.
    less = (CONFIG_HASH, "weights_sha256")
    return content_sha256({key: value for key, value in config.items() if key not in less})


def write_stand_in(config: Any, folder: Path) -> None:
    """Write `config.json` of the scorer that a folder of coefficients stands for, so that
    transformers' auto classes find the class which then puts it together; no weights.

    Args:
        config: of the scorer.
        folder: that is being written.
    """
    settings = config.to_dict()
    for key in ("_name_or_path", "weights_sha256", *REMOTE_CONFIG):
        settings.pop(key, None)
    settings["architectures"] = ["AestheticScorer"]
    told = json.loads(json.dumps(settings))
    told[CONFIG_HASH] = _config_sha256(told)
    text = json.dumps(told, indent=2, sort_keys=True) + "\n"
    (folder / "config.json").write_text(text, "utf-8")


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of each safetensors file in a folder, by name."""
    return {path.name: sha256(path) for path in sorted(folder.glob("*.safetensors"))}


def check_loaded(folder: Path, info: Mapping[str, Any]) -> None:
    """Raise `ScorerError` when transformers left a tensor out, or drew one at random."""
    told = [
        f"{len(info[key])} {key.replace('_', ' ')}: {', '.join(sorted(map(str, info[key]))[:3])}"
        for key in PROBLEMS
        if info.get(key)
    ]
    if told:
        raise ScorerError(
            f"{folder} does not hold the weights that its config describes ({'; '.join(told)}). "
            "It was saved by something else, or changed; fetch or save it again."
        )


def complete(folder: Path, *, remote_code: bool) -> None:
    """Put the hashes of each weights file and of itself into a saved config, and the code beside it
    if asked.
    """
    path = folder / "config.json"
    if not path.is_file():  # transformers saves it in the main process only
        return
    config = json.loads(path.read_text("utf-8"))
    config["weights_sha256"] = hashes(folder)
    for key in REMOTE_CONFIG:  # of code that may not be there any more
        config.pop(key, None)
    if remote_code:
        for name in REMOTE_CODE:
            shutil.copyfile(Path(__file__).with_name(name), folder / name)
        config |= REMOTE_CONFIG
    config[CONFIG_HASH] = _config_sha256(config)
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", "utf-8")
