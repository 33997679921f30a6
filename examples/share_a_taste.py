"""Share a taste: python examples/share_a_taste.py TASTE me/my-taste [--dry FOLDER].

With `--dry` nothing is sent: FOLDER gets what is in a taste, and is read back as others would.
"""

import argparse
from pathlib import Path

from aesthetic_tv import AestheticScorer, Personalization


def main() -> None:
    """Push, or show what a push would hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("taste", help="a folder, as `personalize --out` writes it")
    parser.add_argument("repo", help="such as me/my-taste")
    parser.add_argument("--dry", type=Path)
    args = parser.parse_args()
    mine = Personalization.from_pretrained(args.taste)
    if args.dry is None:
        print(mine.push_to_hub(args.repo, private=True))  # after `hf auth login`
        return
    mine.save_pretrained(args.dry)
    for file in sorted(args.dry.iterdir()):
        print(f"{file.stat().st_size:8,} bytes  {file.name}")
    scorer = AestheticScorer.from_pretrained(args.dry)
    print(f"read back as a scorer of {scorer.num_parameters():,} parameters")


if __name__ == "__main__":
    main()
