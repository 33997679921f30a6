"""Give `embedded:lite` its head directions, and what people have in common and differ in.

    python scripts/embedded_bank/make_population.py --bank build/lite --data OASIS_FOLDER

Coefficients alone are learned; no photograph and no rating goes into the bank. No vector of the
bank was trained on these photographs. Neither they nor these people are among those that the
benchmarks test on: the first 300 people of the sorted list, and the database half.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import pandas as pd

from aesthetic_tv.finetuning import load_crops
from aesthetic_tv.personalization.learned_population import fit_population
from aesthetic_tv.task_vectors import TaskVectorBank
from aesthetic_tv.task_vectors.head_directions import HeadDirections

SOURCE = (
    "OASIS (Kurdi, Lozano & Banaji 2017), beauty ratings of Brielmann & Pelli (2019), half of the "
    "themes and half of the people"
)
LEARNED_FROM = 300


def ratings_of(data: Path) -> tuple[pd.DataFrame, dict]:
    """The photographs of the database half, and what each of the first 300 people said of them:
    positions, and ratings.
    """
    photos = pd.read_csv(data / "database_scores.csv")
    ratings = pd.read_csv(data / "database_ratings.csv")
    ratings = ratings[ratings["user"].isin(sorted(ratings["user"].unique())[:LEARNED_FROM])]
    place = {name: row for row, name in enumerate(photos["image"])}
    people = {
        user: (part["image"].map(place).to_numpy(), part["score"].to_numpy(dtype=float))
        for user, part in ratings.groupby("user")
    }
    return photos, people


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bank", default="build/lite")
    parser.add_argument("--data", type=Path, required=True, help="OASIS, with images/")
    parser.add_argument("--out", type=Path, default=Path("build/lite-2"))
    options = parser.parse_args()
    bank = TaskVectorBank.from_pretrained(options.bank)
    photos, people = ratings_of(options.data)
    paths = [options.data / "images" / name for name in photos["image"]]
    pixels = bank.base.normalize(load_crops(paths, bank.base.config))
    bank.population = None
    bank.directions = replace(
        found := HeadDirections.of(bank.base, pixels),
        learned_from={**found.learned_from, "source": "OASIS, half of the themes"},
    )
    population = fit_population(bank, pixels, people=people, groups=photos["theme"].to_numpy())
    learned_from = {**population.learned_from, "source": SOURCE}
    bank.population = replace(population, learned_from=learned_from)
    bank.save_pretrained(options.out)


if __name__ == "__main__":
    main()
