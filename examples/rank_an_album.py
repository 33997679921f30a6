"""Rank an album by one person's taste: python examples/rank_an_album.py ALBUM RATINGS.csv."""

import argparse

from aesthetic_tv import Personalizer, TaskVectorBank
from aesthetic_tv.personalization.ratings_file import read_ratings
from aesthetic_tv.scorer.photo_files import find_photos


def main() -> None:
    """Learn, say how far to trust it, and print the photos, best first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("album")
    parser.add_argument("ratings", help="a table of photo and rating")
    parser.add_argument("--bank", default="embedded:lite")
    args = parser.parse_args()
    bank = TaskVectorBank.from_pretrained(args.bank)
    mine = Personalizer(bank).fit(read_ratings(args.ratings, args.album))
    print(mine.figures.verdict)
    photos = find_photos(args.album)
    for score, photo in sorted(zip(mine.score(photos), photos, strict=True), reverse=True):
        print(f"{score:.2f}  {photo}")


if __name__ == "__main__":
    main()
