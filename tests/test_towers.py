"""Any vision tower becomes a base, and all of the library works on it without another word."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from transformers import (
    AutoConfig,
    AutoModel,
    BertConfig,
    BertModel,
    CLIPTextConfig,
    CLIPTextModel,
    PreTrainedConfig,
    PreTrainedModel,
    Siglip2VisionConfig,
    Siglip2VisionModel,
    SiglipVisionConfig,
    SiglipVisionModel,
)
from transformers.models.auto.image_processing_auto import get_image_processor_class_from_name
from transformers.utils import ModelOutput

from aesthetic_tv.errors import BaseMismatchError, ScorerError
from aesthetic_tv.evaluation.rivals import Tuning, tuned
from aesthetic_tv.finetuning import FinetuneConfig, finetune, load_crops
from aesthetic_tv.hub.repos import push
from aesthetic_tv.personalization import Personalizer, PhotoFeatures, Preferences
from aesthetic_tv.scorer import AestheticScorer, image_processor, load_photo, pixel_values, towers
from aesthetic_tv.scorer.towers import FAMILIES, TowerFamily, few_numbers, trust_tower
from aesthetic_tv.task_vectors import TaskVector, TaskVectorBank
from aesthetic_tv.task_vectors.task_vector import layers_of, statistics_of
from conftest import ALICE, make_finetuned
from tower_samples import KNOWN, SAMPLES, SIDE, SQUARE, UNKNOWN, WIDE


def base_of(name: str, folder, **settings) -> AestheticScorer:
    SAMPLES[name].save(folder)
    return AestheticScorer.from_tower(folder, **settings)


def bank_on(base: AestheticScorer, tasks: int = 2) -> TaskVectorBank:
    vectors = [
        TaskVector.from_scorers(base, make_finetuned(base, k + 1, 0.02), name=f"task{k}")
        for k in range(tasks)
    ]
    return TaskVectorBank(base, vectors)


@pytest.mark.parametrize("name", KNOWN)
def test_embeddings_are_those_of_the_familys_own_class(name, tmp_path):
    model = SAMPLES[name].save(tmp_path)
    scorer = AestheticScorer.from_tower(tmp_path, seed=3)
    pixels = torch.randn(3, 3, SIDE, SIDE)
    with torch.no_grad():
        expected, found = SAMPLES[name].embed(model, pixels), scorer(pixels).image_embeds
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    assert expected.std(0).max() > 1e-3  # embeddings that tell photos apart
    assert scorer.config.width == scorer.head.hidden.in_features == expected.shape[1]
    assert scorer.config.head_seed == 3
    assert not any("mask_token" in layer or "text" in layer for layer in layers_of(scorer))


@pytest.mark.parametrize("name", KNOWN)
def test_photos_become_the_pixels_of_the_checkpoints_own_processor(name, tmp_path, photos):
    scorer = base_of(name, tmp_path / "checkpoint")
    kind, settings = SAMPLES[name].processor
    own = get_image_processor_class_from_name(kind)(**settings)
    expected = own(images=[load_photo(photos[0])], return_tensors="pt")["pixel_values"][0]
    processor = image_processor(scorer.config)
    torch.testing.assert_close(pixel_values(photos[0], processor), expected)
    # Training sees the same, by way of 8 bits.
    crops = load_crops([photos[0]], scorer.config)
    torch.testing.assert_close(scorer.normalize(crops)[0], expected, rtol=1e-4, atol=1e-5)
    # And so does whoever loads the scorer.
    scorer.save_pretrained(tmp_path / "scorer")
    again = AestheticScorer.from_pretrained(tmp_path / "scorer")
    torch.testing.assert_close(pixel_values(photos[0], image_processor(again.config)), expected)
    told = json.loads((tmp_path / "scorer" / "preprocessor_config.json").read_text())
    assert told["image_processor_type"] == scorer.config.processor["image_processor_type"]


def whole_path(base: AestheticScorer, photos, folder) -> None:
    """Save and load, train, compress, personalize, cache: on a base of any family."""
    crops = load_crops(photos, base.config)
    scores = np.linspace(1, 5, len(photos))
    config = FinetuneConfig(head_epochs=1, epochs=1, lr=1e-3, batch_size=4, score_range=(1, 5))
    trained = finetune(base, crops, scores, config)
    vector = TaskVector.from_scorers(base, trained, name="trained")
    assert vector.norm() > 0
    assert not trained.training and statistics_of(trained).keys() == statistics_of(base).keys()

    noise = TaskVector.from_scorers(base, make_finetuned(base, 7, 0.02), name="noise")
    TaskVectorBank(base, [vector, noise]).save_pretrained(folder / "bank", storage="int4")
    bank = TaskVectorBank.from_pretrained(folder / "bank")
    assert bank.base_reference.fingerprint == vector.base.fingerprint
    for layer, tau in bank.vectors[1].layers.items():
        if few_numbers(layer, tuple(tau.shape)):
            torch.testing.assert_close(tau, noise.layers[layer], rtol=2**-8, atol=0)

    ratings = dict(zip(photos, [1, 5, 2, 4, 3, 5, 1, 2, 4, 3, 5, 1], strict=True))
    mine = Personalizer(bank, folds=2).fit(ratings)
    mine.save_pretrained(folder / "mine")
    expected = mine.merge().score(photos)
    loaded = AestheticScorer.from_pretrained(folder / "mine", bank=folder / "bank")
    np.testing.assert_allclose(loaded.score(photos), expected, atol=1e-4)

    cache = folder / "album.safetensors"
    first = PhotoFeatures.compute(bank, photos, cache=cache)
    steps = []
    again = PhotoFeatures.compute(bank, photos, cache=cache, progress=lambda *x: steps.append(x))
    assert not steps
    np.testing.assert_array_equal(again.scores, first.scores)
    np.testing.assert_allclose(first.scores, bank.generic_score(photos), atol=1e-3)


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.filterwarnings("error:.*photo by photo:UserWarning")
def test_the_whole_path_works_on_every_family(name, tmp_path, photos):
    whole_path(base_of(name, tmp_path / "checkpoint"), photos, tmp_path)


@pytest.mark.parametrize("name", UNKNOWN)
def test_the_whole_path_works_on_a_family_that_nobody_wrote_an_entry_for(name, tmp_path, photos):
    with pytest.warns(UserWarning, match="not known"):
        base = base_of(name, tmp_path / "checkpoint")
    assert base.config.embedding_size == base.head.hidden.in_features
    whole_path(base, photos, tmp_path)


@pytest.mark.slow
def test_remote_code_serves_every_family_where_the_library_is_not_installed(tmp_path, photos):
    expected = {}
    for name in KNOWN:
        scorer = base_of(name, tmp_path / "checkpoints" / name)
        scorer.save_pretrained(tmp_path / name, remote_code=True)
        expected[name] = float(scorer.score(photos[0])[0])
    code = """
import json, sys
class Nowhere:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "aesthetic_tv":
            raise ImportError(name)
sys.meta_path.insert(0, Nowhere())
from transformers import AutoModel
folder, photo, *names = sys.argv[1:]
scores = {}
for name in names:
    scorer = AutoModel.from_pretrained(f"{folder}/{name}", trust_remote_code=True)
    assert type(scorer).__module__.startswith("transformers_modules")
    scores[name] = float(scorer.score(photo)[0])
print("SCORES" + json.dumps(scores))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), str(photos[0]), *KNOWN],
        capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.split("SCORES")[1])
    assert found == pytest.approx(expected, abs=1e-5)


def test_auto_classes_load_every_family(tmp_path):
    for name in KNOWN:
        scorer = base_of(name, tmp_path / name)
        scorer.save_pretrained(tmp_path / f"{name} scorer")
        pixels = torch.randn(2, 3, SIDE, SIDE)
        loaded = AutoModel.from_pretrained(tmp_path / f"{name} scorer")
        assert isinstance(loaded, AestheticScorer)
        torch.testing.assert_close(loaded(pixels).scores, scorer(pixels).scores)


def test_a_vector_of_another_family_is_refused(tmp_path):
    siglip, dinov2 = (base_of(name, tmp_path / name) for name in ("siglip", "dinov2"))
    with pytest.raises(BaseMismatchError, match="made for another tower"):
        TaskVectorBank(siglip, bank_on(dinov2).vectors)


def test_a_base_from_the_hub_is_found_again_by_its_reference(hub, tmp_path):
    SAMPLES["siglip"].save(tmp_path / "siglip")
    commit = push(tmp_path / "siglip", "alice/siglip", token=ALICE).oid
    base = AestheticScorer.from_tower("alice/siglip", seed=5)
    assert (base.config.tower_repo_id, base.config.tower_revision) == ("alice/siglip", commit)
    bank_on(base, 1).vectors[0].save_pretrained(tmp_path / "vector")
    scorer = AestheticScorer.from_pretrained(tmp_path / "vector")  # fetches tower, draws the head
    pixels = torch.randn(2, 3, SIDE, SIDE)
    expected = make_finetuned(base, 1, 0.02)(pixels).scores
    torch.testing.assert_close(scorer(pixels).scores, expected, rtol=1e-4, atol=1e-5)


def test_a_clip_tower_with_its_own_processor_is_another_base(tmp_path):
    SAMPLES["clip"].save(tmp_path)
    papers, own = AestheticScorer.from_clip(tmp_path), AestheticScorer.from_tower(tmp_path)
    vector = bank_on(papers, 1).vectors[0]
    with pytest.raises(BaseMismatchError, match="belongs to base"):
        vector.apply(own)


class TestBatchNorm:
    """Statistics belong to the base: they are never trained, and checked."""

    def test_training_leaves_them_alone(self, tmp_path, photos):
        base = base_of("efficientnet lite", tmp_path)
        before = {name: x.clone() for name, x in statistics_of(base).items()}
        assert before
        base.train()
        base(torch.randn(4, 3, SIDE, SIDE))
        assert all(x.equal(before[name]) for name, x in statistics_of(base).items())

    def test_a_vector_of_other_statistics_cannot_be_made(self, tmp_path):
        base = base_of("efficientnet lite", tmp_path)
        finetuned = make_finetuned(base, 1)
        next(m for m in finetuned.modules() if isinstance(m, nn.BatchNorm2d)).running_mean += 1
        with pytest.raises(BaseMismatchError, match=r"batch norm statistics.*running_mean"):
            TaskVector.from_scorers(base, finetuned)

    def test_a_base_of_other_statistics_is_another_base(self, tmp_path):
        bank = bank_on(base_of("efficientnet lite", tmp_path))
        other = make_finetuned(bank.base, 1, size=0.0)
        next(m for m in other.modules() if isinstance(m, nn.BatchNorm2d)).running_var *= 2
        with pytest.raises(BaseMismatchError, match="belongs to base"):
            TaskVectorBank(other, bank.vectors)


def test_low_rank_adapters_take_linear_layers_and_convolutions_of_single_pixels(tmp_path):
    pixels = torch.randn(4, 3, SIDE, SIDE)
    ratings = Preferences.from_ratings({i: float(i) for i in range(4)})
    for name in ("siglip", "efficientnet lite"):
        base = base_of(name, tmp_path / name)
        changed = tuned(base, pixels, ratings, Tuning(weights="lora", steps=2, lr=1e-2, rank=2))
        moved = {k for k, x in layers_of(changed).items() if not x.equal(layers_of(base)[k])}
        assert moved and all(k.endswith(".weight") for k in moved)
        wanted = "expand_conv" if name.startswith("eff") else "q_proj"
        assert any(wanted in k for k in moved)


# -- a family made up here: this entry is all that the library is told of it


class MadeUpConfig(PreTrainedConfig):
    model_type = "made-up-tower"
    channels: int = 12
    levels: int = 3
    image_size: int = SIDE


class MadeUpTower(PreTrainedModel):
    config_class = MadeUpConfig
    base_model_prefix = "made_up"
    main_input_name = "pixel_values"

    def __init__(self, config):
        super().__init__(config)
        self.entry = nn.Conv2d(3, config.channels, 4, stride=4)
        self.floor = nn.ModuleList(nn.Linear(config.channels, config.channels) for _ in range(3))
        self.gains = nn.Parameter(torch.ones(config.channels))
        self.scratch = nn.Parameter(torch.ones(7))
        self.exit = nn.LayerNorm(config.channels)
        self.post_init()

    def _init_weights(self, module):
        super()._init_weights(module)
        if isinstance(module, MadeUpTower):
            nn.init.zeros_(module.scratch)

    def forward(self, pixel_values):
        x = self.entry(pixel_values).flatten(2).mT  # (n, patches, channels)
        for linear in self.floor:
            x = x + torch.tanh(linear(x)) * self.gains
        return ModelOutput(summary=self.exit(x).mean(1))


def test_a_new_family_is_one_entry_and_nothing_else(monkeypatch, tmp_path, photos):
    entry = TowerFamily(
        MadeUpConfig,
        MadeUpTower,
        width="channels",
        embedding="summary",
        processor="ViTImageProcessor",
        unused=("scratch",),
        block=r"\.floor\.(\d+)\.",
        before_blocks=r"\.entry\.",
    )
    monkeypatch.setitem(FAMILIES, "made-up-tower", entry)
    torch.manual_seed(0)
    MadeUpTower(MadeUpConfig()).save_pretrained(tmp_path / "checkpoint")
    with pytest.warns(UserWarning, match="names no image processor.*ViTImageProcessor"):
        base = AestheticScorer.from_tower(tmp_path / "checkpoint")
    assert base.depths()["vision.floor.2.weight"] == 3
    assert base.depths()["vision.entry.weight"] == 0 and base.depths()["head.hidden.bias"] == 4
    assert towers.part_of("vision.floor.2.weight") == "3"
    assert "vision.scratch" not in layers_of(base)
    whole_path(base, photos, tmp_path)


class TestRefused:
    def test_a_model_of_text(self, tmp_path):
        sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
        BertModel(BertConfig(vocab_size=30, intermediate_size=8, **sizes)).save_pretrained(tmp_path)
        with pytest.raises(ScorerError, match="no vision model: it takes input_ids"):
            AestheticScorer.from_tower(tmp_path)

    def test_the_text_part_of_clip(self, tmp_path):
        sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
        CLIPTextModel(CLIPTextConfig(vocab_size=30, **sizes)).save_pretrained(tmp_path)
        with pytest.raises(ScorerError, match="no vision model"):
            AestheticScorer.from_tower(tmp_path)

    def test_a_varying_number_of_patches(self, tmp_path):
        sizes = {key: value for key, value in WIDE.items() if key != "image_size"}
        Siglip2VisionModel(Siglip2VisionConfig(num_patches=16, **sizes)).save_pretrained(tmp_path)
        with pytest.raises(ScorerError, match=r"NaFlex.*of a fixed size"):
            AestheticScorer.from_tower(tmp_path)

    def test_a_tower_that_does_not_pool(self, tmp_path):
        config = SiglipVisionConfig(**WIDE, vision_use_head=False)
        SiglipVisionModel(config).save_pretrained(tmp_path)
        with pytest.raises(ScorerError, match="no pooling head"):
            AestheticScorer.from_tower(tmp_path)

    def test_a_scorer(self, tiny_scorer, tmp_path):
        tiny_scorer.save_pretrained(tmp_path)
        with pytest.raises(ScorerError, match="scorer already"):
            AestheticScorer.from_tower(tmp_path)

    def test_a_family_unknown_to_transformers(self, tmp_path):
        (tmp_path / "config.json").write_text('{"model_type": "unheard-of"}')
        with pytest.raises(ScorerError, match="unheard-of"):
            AestheticScorer.from_tower(tmp_path)

    def test_weights_of_other_sizes_than_the_config_tells(self, tmp_path):
        SAMPLES["siglip vision part"].save(tmp_path)
        path = tmp_path / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"intermediate_size": 40}))
        with pytest.raises(ScorerError, match=r"another shape .*mlp\.fc1\.bias"):
            AestheticScorer.from_tower(tmp_path)

    @pytest.mark.parametrize("name", ["siglip", "aimv2", "clip"])
    def test_a_processor_of_another_size_than_the_tower(self, name, tmp_path):
        SAMPLES[name].save(tmp_path)
        path = tmp_path / "preprocessor_config.json"
        larger = {"height": 48, "width": 48}
        told = {"size": {"shortest_edge": 48} if name != "siglip" else larger, "crop_size": larger}
        path.write_text(json.dumps(json.loads(path.read_text()) | told))
        with pytest.raises(ScorerError, match="48 x 48 pixels, and the tower takes 32 x 32"):
            AestheticScorer.from_tower(tmp_path)

    def test_a_processor_whose_pictures_differ_in_size(self, tmp_path):
        SAMPLES["dinov2"].save(tmp_path)
        path = tmp_path / "preprocessor_config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"do_center_crop": False}))
        with pytest.raises(ScorerError, match="sizes that differ"):
            AestheticScorer.from_tower(tmp_path)

    def test_a_processor_that_transformers_does_not_have(self, tmp_path):
        SAMPLES["dinov2"].save(tmp_path)
        path = tmp_path / "preprocessor_config.json"
        path.write_text('{"image_processor_type": "NobodysImageProcessor"}')
        with pytest.raises(ScorerError, match="NobodysImageProcessor"):
            AestheticScorer.from_tower(tmp_path)

    def test_excitation_that_the_config_denies(self, tmp_path):
        model = SAMPLES["efficientnet lite"].make()
        nn.init.ones_(model.encoder.blocks[1].squeeze_excite.expand.weight)
        model.save_pretrained(tmp_path)
        with pytest.raises(ScorerError, match="block 1 has an excitation"):
            AestheticScorer.from_tower(tmp_path)


def test_towers_of_any_size_take_the_size_that_their_processor_makes(tmp_path, photos):
    SAMPLES["dinov2"].save(tmp_path)
    path = tmp_path / "preprocessor_config.json"
    larger = {"size": {"shortest_edge": 48}, "crop_size": {"height": 48, "width": 48}}
    path.write_text(json.dumps(json.loads(path.read_text()) | larger))
    scorer = AestheticScorer.from_tower(tmp_path)
    assert load_crops(photos[:1], scorer.config).shape == (1, 3, 48, 48)
    assert np.isfinite(scorer.score(photos)).all()


def test_dinov3_is_within_one_level_of_its_own_processor(tmp_path, photos):
    SAMPLES["dinov3"].save(tmp_path)
    path = tmp_path / "preprocessor_config.json"
    told = json.loads(path.read_text()) | {"image_processor_type": "DINOv3ViTImageProcessorFast"}
    path.write_text(json.dumps(told))
    scorer = AestheticScorer.from_tower(tmp_path)
    photo = load_photo(photos[0])
    # As that one does it: scale, then resize without rounding.
    channels = [
        Image.fromarray(channel).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        for channel in np.asarray(photo, dtype=np.float32).transpose(2, 0, 1)
    ]
    exact = np.stack([np.asarray(channel) for channel in channels])
    levels = load_crops([photo], scorer.config)[0].astype(np.float32)
    assert np.abs(levels - exact).max() <= 1


def test_a_strip_is_squeezed_where_the_processor_crops_nothing(tmp_path):
    scorer = base_of("siglip", tmp_path)
    strip = Image.new("RGB", (640, 8), "black")
    strip.paste("white", (600, 0, 640, 8))  # beyond what a centre crop would leave
    crops = load_crops([strip], scorer.config)
    assert crops.shape == (1, 3, SIDE, SIDE) and crops[..., -1].min() > 200


REMOTE = {
    "configuration_odd.py": """
from transformers import PreTrainedConfig
class OddConfig(PreTrainedConfig):
    model_type = "odd-tower"
    image_size: int = 32
""",
    "modeling_odd.py": """
import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling
from .configuration_odd import OddConfig
class OddModel(PreTrainedModel):
    config_class = OddConfig
    main_input_name = "pixel_values"
    def __init__(self, config):
        super().__init__(config)
        self.first = nn.Conv2d(3, 6, 8, stride=8)
        self.post_init()
    def forward(self, pixel_values):
        x = torch.tanh(self.first(pixel_values))
        return BaseModelOutputWithPooling(pooler_output=x.mean((2, 3)))
""",
}


def test_code_of_a_towers_repo_runs_when_it_is_asked_for_by_name_alone(
    monkeypatch, tmp_path, photos
):
    monkeypatch.setattr(towers, "FAMILIES", dict(FAMILIES))
    folder = tmp_path / "odd"
    folder.mkdir()
    for file, text in REMOTE.items():
        (folder / file).write_text(text)
    auto = {"AutoConfig": "configuration_odd.OddConfig", "AutoModel": "modeling_odd.OddModel"}
    config = {"model_type": "odd-tower", "image_size": SIDE, "auto_map": auto}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ScorerError, match=r"brings code of its own, which is not run.*trust"):
        AestheticScorer.from_tower(folder)
    AutoModel.from_config(
        AutoConfig.from_pretrained(folder, trust_remote_code=True), trust_remote_code=True
    ).save_pretrained(folder)
    get_image_processor_class_from_name("ViTImageProcessorPil")(size=SQUARE).save_pretrained(folder)
    with pytest.warns(UserWarning, match="not known"):
        scorer = AestheticScorer.from_tower(folder, trust_remote_code=True)
    scorer.save_pretrained(tmp_path / "scorer")
    expected = scorer.score(photos)
    del towers.FAMILIES["odd-tower"]  # as in a process that nobody asked yet
    with pytest.raises(ScorerError, match="trust_tower"):
        AestheticScorer.from_pretrained(tmp_path / "scorer")
    trust_tower(str(folder))
    loaded = AestheticScorer.from_pretrained(tmp_path / "scorer")
    np.testing.assert_allclose(loaded.score(photos), expected, atol=1e-5)
