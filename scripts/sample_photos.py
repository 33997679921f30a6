"""Make the photographs shipped in `aesthetic_tv/assets/photos`, and their NOTICE.

    python scripts/sample_photos.py --out src/aesthetic_tv/assets/photos

Needs Debian 12 (bookworm) with `apt-get update` done, and scikit-image. Every licence here was
read in the package it comes from; it must allow redistribution beside Apache-2.0 code.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from debian_pictures import (
    GCOMPRIS,
    GCOMPRIS_RCC,
    SCIKIT_IMAGE,
    Credit,
    Picture,
    PictureSourceError,
    PictureStore,
    require_distinct,
    resized,
    run_script,
    write_atomic,
    write_jpeg,
)

LONGEST_SIDE = 512
QUALITY = 85

LICENCE_URLS = {
    "public domain": "no rights reserved",
    "CC0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "CC-BY-2.0": "https://creativecommons.org/licenses/by/2.0/",
    "CC-BY-4.0": "https://creativecommons.org/licenses/by/4.0/",
    "CC-BY-SA-4.0": "https://creativecommons.org/licenses/by-sa/4.0/",
}
"""Licences a shipped photograph may have, stricter than for pre-training: no GPL pictures."""

NOTICE_HEAD = """\
Sample photographs of aesthetic_tv
==================================

These photographs are not covered by the licence of the code around them. Each has the licence
stated below. Changes made to all of them: resized to 512 px on the longest side, re-encoded as
JPEG, metadata removed. A licence of a photograph says nothing for the people it shows: neither
they nor NASA nor any author here endorses this software.
"""


@dataclass(frozen=True)
class SamplePhoto:
    """A shipped photograph: its file name without `.jpg`, its subject, and where it is from."""

    name: str
    title: str
    picture: Picture


def _scikit_image(
    name: str, title: str, file: str, author: str, licence: str, url: str = ""
) -> SamplePhoto:
    picture = Picture(SCIKIT_IMAGE, f"data/{file}", Credit(author, licence, url))
    return SamplePhoto(name, title, picture)


def _lomiri(name: str, title: str, file: str, author: str, licence: str) -> SamplePhoto:
    path = f"usr/share/backgrounds/{file}"
    return SamplePhoto(
        name, title, Picture("lomiri-wallpapers-16.04", path, Credit(author, licence))
    )


def _gcompris(name: str, title: str, path: str) -> SamplePhoto:
    archive = f"{GCOMPRIS_RCC}/{path.split('/')[0]}.rcc"
    return SamplePhoto(name, title, Picture(GCOMPRIS, f"{archive}!{path}"))


# Credits of the scikit-image files are those of the docstrings in skimage.data.
SAMPLES: tuple[SamplePhoto, ...] = (
    _scikit_image(
        "astronaut",
        "Eileen Collins, astronaut",
        "astronaut.png",
        "NASA",
        "public domain",
        "https://flic.kr/p/r9qvLn",
    ),
    _scikit_image(
        "coffee",
        "Coffee cup, courtesy of Pikolo Espresso Bar",
        "coffee.png",
        "Rachel Michetti",
        "CC0-1.0",
    ),
    _scikit_image(
        "photographer", "Man with a camera, monochrome", "camera.png", "Lav Varshney", "CC0-1.0"
    ),
    _scikit_image(
        "rocket",
        "Falcon 9 launch carrying DSCOVR",
        "rocket.jpg",
        "SpaceX",
        "public domain",
        "https://www.flickr.com/photos/spacexphotos/16511594820/",
    ),
    SamplePhoto(
        "temple",
        "Temple tower, China",
        Picture(
            "python3-sklearn",
            "usr/lib/python3/dist-packages/sklearn/datasets/images/china.jpg",
            Credit(
                "danielbuechele",
                "CC-BY-2.0",
                "https://www.flickr.com/photos/danielbuechele/6061409035/",
            ),
        ),
    ),
    _lomiri(
        "fig", "Fig in a red bowl", "Picture_0B_by_freespace.jpg", 'Trevor "Freespace"', "CC-BY-4.0"
    ),
    _lomiri(
        "brushes", "Paint brushes", "Picture_1A_by_freespace.jpg", 'Trevor "Freespace"', "CC-BY-4.0"
    ),
    _lomiri(
        "sunset",
        "Sunset over hills",
        "sunset_by_Aitzol_Berasategi.jpg",
        "Aitzol Berasategi",
        "CC-BY-4.0",
    ),
    _lomiri(
        "mountain_trail",
        "Picos de Europa",
        "picosdeeuropa_by_Aitzol_Berasategi.jpg",
        "Aitzol Berasategi",
        "CC-BY-4.0",
    ),
    _lomiri(
        "dandelions",
        "Dandelions gone to seed",
        "seeding_by_Clements_Engelhardt.jpg",
        "Clemens Engelhardt",
        "CC0-1.0",
    ),
    _lomiri(
        "wine", "Wine and a drum, interior", "Wine_by_Jakkub_Mede.jpg", "Jakub Mede", "CC-BY-4.0"
    ),
    _gcompris("kingfisher", "Kingfisher", "erase/resource/kingfisher.webp"),
    _gcompris("red_panda", "Red panda", "erase/resource/red_panda.webp"),
    _gcompris("bee", "Bee on a flower", "erase/resource/bee.webp"),
    _gcompris("swans", "Mute swans and cygnets", "erase/resource/swans.webp"),
    _gcompris("cat", "Kitten playing", "explore_farm_animals/resource/animals/cat.webp"),
    _gcompris("horses", "Nokota horses", "explore_farm_animals/resource/animals/horse.webp"),
    _gcompris("starfish", "Basket starfish under water", "clickgame/resource/sea6.webp"),
    _gcompris(
        "machu_picchu", "Machu Picchu", "explore_monuments/resource/wonders/machuPicchu.webp"
    ),
    _gcompris(
        "gateway_at_dusk",
        "Gateway of India at dusk",
        "explore_monuments/resource/india/gatewayofIndia.webp",
    ),
    _gcompris(
        "hawa_mahal", "Hawa Mahal, Jaipur", "explore_monuments/resource/india/hawaMahal.webp"
    ),
    _gcompris(
        "lincoln_memorial",
        "Lincoln Memorial",
        "explore_monuments/resource/usa/lincolnMemorial.webp",
    ),
    _gcompris("musicians", "Mariachi musicians", "explore_world_music/resource/music/mexico.webp"),
    _gcompris("opera_stage", "Opera on stage", "explore_world_music/resource/music/italy.webp"),
)


def notice_entry(sample: SamplePhoto, credit: Credit, version: str) -> str:
    """The NOTICE paragraph of one photograph.

    Raises:
        PictureSourceError: The licence is not one that may be shipped.
    """
    if credit.licence not in LICENCE_URLS:
        raise PictureSourceError(
            f"{sample.name}: {credit.licence} may not be shipped; use one of {list(LICENCE_URLS)}"
        )
    earlier = f"{credit.changes} (before us); " if credit.changes else ""
    lines = [
        f"{sample.name}.jpg",
        f"  Title:   {sample.title}",
        f"  Author:  {credit.author}",
        f"  Source:  {sample.picture.package} {version}, {sample.picture.path}",
        *([f"  URL:     {credit.url}"] if credit.url else []),
        f"  Licence: {credit.licence} ({LICENCE_URLS[credit.licence]})",
        f"  Changes: {earlier}resized to 512 px, re-encoded as JPEG",
    ]
    return "\n".join(lines) + "\n"


def make_samples(out: Path) -> int:
    """Write every sample photograph and the NOTICE into `out`; return how many photographs."""
    require_distinct(sample.name for sample in SAMPLES)
    with tempfile.TemporaryDirectory() as folder:
        store = PictureStore(Path(folder))
        entries = []
        for sample in sorted(SAMPLES, key=lambda sample: sample.name):
            credit = store.credit(sample.picture)
            entries.append(notice_entry(sample, credit, store.version(sample.picture.package)))
            image = resized(store.image(sample.picture), LONGEST_SIDE)
            write_jpeg(image, out / f"{sample.name}.jpg", QUALITY)
    write_atomic(out / "NOTICE", "\n".join([NOTICE_HEAD, *entries]).encode("utf-8"))
    return len(entries)


def main() -> int:
    """Run from the command line."""
    return run_script(
        "Make the shipped sample photographs.",
        Path("src/aesthetic_tv/assets/photos"),
        lambda out: f"{make_samples(out)} photographs and NOTICE in {out}",
    )


if __name__ == "__main__":
    sys.exit(main())
