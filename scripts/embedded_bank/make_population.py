"""Give `embedded:lite` the taste that people have in common, from mean scores of photographs.

    python scripts/embedded_bank/make_population.py --bank build/lite --data OASIS_FOLDER

Coefficients alone are learned; no photograph and no rating goes into the bank. No vector of the
bank was trained on these photographs, and none of them is in the half that benchmarks test on.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import pandas as pd

from aesthetic_tv.finetuning import load_crops
from aesthetic_tv.personalization.population import fit_population
from aesthetic_tv.task_vectors import TaskVectorBank

SOURCE = (
    "OASIS (Kurdi, Lozano & Banaji 2017), beauty ratings of Brielmann & Pelli (2019), half of the "
    "themes"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bank", default="build/lite")
    parser.add_argument("--data", type=Path, required=True, help="with database_scores.csv, images")
    parser.add_argument("--out", type=Path, default=Path("build/lite-2"))
    options = parser.parse_args()
    bank = TaskVectorBank.from_pretrained(options.bank)
    table = pd.read_csv(options.data / "database_scores.csv")
    photos = [options.data / "images" / name for name in table["image"]]
    crops = load_crops(photos, bank.base.config)
    population = fit_population(
        bank,
        bank.base.normalize(crops),
        table["score"].to_numpy(),
        groups=table["theme"].to_numpy(),
    )
    learned_from = {**population.learned_from, "source": SOURCE}
    bank.population = replace(population, learned_from=learned_from)
    bank.save_pretrained(options.out)


if __name__ == "__main__":
    main()
