"""The examples run, and show what they say."""

import re
import runpy
import sys
from pathlib import Path

import pytest
from PIL import Image

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.slow
def test_a_generator_earns_a_personal_reward(tmp_path, monkeypatch, capsys):
    out = tmp_path / "sheet.png"
    options = ["--out", str(out), "--bank", "embedded:tiny", "--steps", "5"]
    monkeypatch.setattr(sys, "argv", ["personal_reward.py", *options])
    runpy.run_path(str(EXAMPLES / "personal_reward.py"), run_name="__main__")
    rewards = [float(x) for x in re.findall(r"reward (-?\d+\.\d+)", capsys.readouterr().out)]
    assert len(rewards) == 4
    assert rewards[1] > rewards[0]
    with Image.open(out) as sheet:
        assert sheet.size == (4 * 96, 4 * 96)
