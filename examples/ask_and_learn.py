"""Active rating: ask about the photo that would teach most, and learn from each answer.

python examples/ask_and_learn.py ALBUM [--answers RATINGS.csv]
"""

import argparse
from pathlib import Path

from aesthetic_tv import InstantFit, PhotoFeatures, TaskVectorBank
from aesthetic_tv.personalization.ratings_file import read_ratings


def main() -> None:
    """Rate, ask, rate; then save the taste."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("album", type=Path)
    parser.add_argument("--answers", help="a table that answers instead of you")
    parser.add_argument("--questions", type=int, default=10)
    parser.add_argument("--bank", default="embedded:lite")
    parser.add_argument("--out", default="my-taste")
    args = parser.parse_args()
    known = read_ratings(args.answers, args.album) if args.answers else {}
    photos = [str(photo) for photo in known] or sorted(map(str, args.album.glob("*.jpg")))
    answers = {str(photo): rating for photo, rating in known.items()}
    album = PhotoFeatures.compute(TaskVectorBank.from_pretrained(args.bank), photos)
    ratings, fit, ask = {}, None, [photos[0], photos[len(photos) // 2], photos[-1]]
    while len(ratings) < args.questions:
        for photo in ask:
            ratings[photo] = answers.get(photo) or float(input(f"{photo}, 1 to 5: "))
        fit = InstantFit.of(album, ratings, scale=(1, 5))
        ask = fit.suggest_next(1)
        print(f"{len(ratings)} ratings, next: {Path(ask[0]).name}")
    fit.polish().save_pretrained(args.out)


if __name__ == "__main__":
    main()
