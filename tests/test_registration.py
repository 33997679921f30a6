"""`import aesthetic_tv` gets along with transformers, in whatever order the two are imported."""

import subprocess
import sys

import pytest

IMPORTS = [
    "from transformers import AutoConfig",
    "from transformers import AutoModel, pipeline",
    "from transformers import BertModel",
    "from transformers import CLIPModel, CLIPConfig",
    "import transformers.models.clip.modeling_clip",
    "import transformers.models.clip.configuration_clip",
    "import transformers.pipelines",
]
LOAD = """
from transformers import AutoModel, pipeline
import sys
scorer = AutoModel.from_pretrained(sys.argv[1])
assert type(scorer).__module__ == "aesthetic_tv.scorer.modeling_aesthetic_scorer", type(scorer)
assert pipeline("aesthetic-scoring", model=sys.argv[1])(sys.argv[2])[0]["score"] > 0
"""


@pytest.mark.parametrize("other", IMPORTS)
def test_transformers_works_after_aesthetic_tv(other):
    code = f"import aesthetic_tv, sys; assert 'torch' not in sys.modules; {other}"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("first", ["import aesthetic_tv", "import transformers, aesthetic_tv"])
def test_auto_model_and_pipeline_know_the_scorer(tiny_scorer, photos, tmp_path, first):
    tiny_scorer.save_pretrained(tmp_path / "scorer")
    command = [sys.executable, "-c", f"{first}\n{LOAD}", tmp_path / "scorer", photos[0]]
    subprocess.run(command, check=True)
