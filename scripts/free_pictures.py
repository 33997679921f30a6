"""Collect freely licensed photographs to pre-train a small vision tower on.

    python scripts/free_pictures.py --out build/free_pictures

Needs Debian 12 (bookworm) with `apt-get update` done as root, and about 1 GB of temporary space.
The lists below name each picture; every one was looked at, and drawings, renderings, paintings,
cut-outs and pictures of unclear licence were left out. Checked and found without usable
photographs: gnome-backgrounds, ukui-wallpapers, xfdesktop4-data, lomiri-wallpapers-20.04's other
three files (drawn or rendered), tuxpaint-stamps-default (cut-outs), opencv-doc (no licence stated
per picture).

`SOURCES.json`, written last, lists file, package, version, path, licence, author and size.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from pathlib import Path, PurePosixPath

from debian_pictures import (
    GCOMPRIS,
    GCOMPRIS_RCC,
    SCIKIT_IMAGE,
    Credit,
    Picture,
    PictureStore,
    require_distinct,
    resized,
    run_script,
    write_atomic,
    write_jpeg,
)
from sample_photos import SAMPLES

LONGEST_SIDE = 1600
QUALITY = 92

# Held out: the demo must run on photographs that the tower never saw in pre-training, so the
# shipped samples are dropped even where a list below takes the package's whole folder.
HELD_OUT = frozenset(sample.picture.key for sample in SAMPLES)

# Licence and author of each picture: README beside it in the archive, read by PictureStore.
# Same photograph twice in the package, listed once: brandenburgGate, colosseum, greatPyramid.
# Left out, as their README spells another file name: aulaPalatina, screwDriver.
# Left out, as drawn, composited or too narrow: fish4, fish8, fish17, owl, cabrillo, middleeast.
GCOMPRIS_PICTURES: dict[str, str] = {
    "erase/resource": """
        alpaca bee butterfly calf camels caterpillar chamaeleon cheetah crab dolphin flying_fox
        gibbon giraffe goat gorilla gosling heron horse kingfisher kitten long_nosed_monkey
        macaque meerkats northern_harrier nubian_ibex penguin pika red_panda rhinoceros
        spoonbills squirrel swans toucan""",
    "explore_world_animals/resource/animals": """
        bison chameleon crocodile dragon giraffe hedgehog jaguar kangaroo koala lemur moose
        narwhal panda polar_bear scarlet_macaw""",
    "explore_farm_animals/resource/animals": "cat chicken cow dog duck horse pig sheep",
    "explore_world_music/resource/music": """
        africa america australia ireland italy japan mexico orchestra""",
    "clickgame/resource": "sea1 sea2 sea3 sea4 sea5 sea6",
    "explore_monuments/resource/egypt": "bentPyramid greatPyramidOfGiza meidumPyramid redPyramid",
    "explore_monuments/resource/france": """
        arlesAmphitheater chateaudeChambord chateaudeChenonceau citedeCarcassonne eiffelTower
        montStMichel palaisdesPapes pontduGard reimsCathedral rocamadour""",
    "explore_monuments/resource/germany": """
        berlinCathedral brandenburgGate neuschwansteinCastle schwerinPalace trierImperialBaths
        wormsCathedral""",
    "explore_monuments/resource/india": """
        ajantaCave charminar gatewayofIndia goldenTemple greatStupa hawaMahal konarkSunTemple
        mysorePalace qutubMinar rangGhar victoriaMemorial""",
    "explore_monuments/resource/usa": """
        canyondeChelly castillodeSanMarcos castleClinton fortSumter georgeWashingtonBirthplace
        lincolnMemorial mountRushmore navajo statueofLiberty""",
    "explore_monuments/resource/wonders": """
        chichenItza christTheRedeemer colosseum greatWallofChina machuPicchu petra tajMahal""",
    "details/resource/image": """
        Chenonceau_background EgeskovSlotSpejling_background EilanDonanCastle_background
        FanoeWindmill_background GizahPyramids_background Louvre_2007_02_24_c_background
        NDP_background Nagoya_background Neuschwanstein_background OperaSidney_background
        TajMahal_background TourEiffel_background TowerBridgeLondon_background""",
    "categorization/resource/images/fishes": """
        fish1 fish2 fish3 fish5 fish6 fish7 fish9 fish10 fish11 fish12 fish13 fish14 fish15
        fish16 fish18 fish19 fish20 fish21 fish22 fish23 fish24 fish25 fish26 fish27 fish28""",
    "categorization/resource/images/monuments": """
        IndiaGate arcDeTriomphe bayterek burj cathedral eiffelTower empireState greatWall
        kutubMinar leMusee leaningTowerOfPisa monument1 monument2 monument3 mountRushmore
        operaHouse parthenon statueOfLiberty tajMahal usCapitol victoriaMemorial zimniPalace""",
    "categorization/resource/images/others": """
        bucket bulb chair igloo knife pan pillow plate spoons""",
    "categorization/resource/images/renewable": """
        dam1 dam2 dam3 dam4 dam5 geothermal solar1 solar2 solar3 solar4 solar5 solar6 solar7
        solar8 windmill windmill1 windmill2 windmill3 windmill4 windmill5 windmill6 windmill7
        windmill8 windmill9 windmill11 windmill12 windmill13 windmill14 windmill15""",
    "categorization/resource/images/tools": """
        hammer3 hammer4 measuringTape5 nailCutter scissors2 scissors3 screwDriver1 sickle
        sideCutter1 tweezer""",
}

# Licences and authors from /usr/share/doc/PACKAGE/copyright, by file.
LOMIRI_16_04: dict[str, tuple[str, str]] = {
    "Bridge_by_Sander_Klootwijk.jpg": ("Sander Klootwijk", "CC-BY-SA-4.0"),
    "Dragonfly_by_Bolly.jpg": ("Bolly", "CC-BY-SA-4.0"),
    "Picture_0B_by_freespace.jpg": ('Trevor "Freespace"', "CC-BY-4.0"),
    "Picture_1A_by_freespace.jpg": ('Trevor "Freespace"', "CC-BY-4.0"),
    "Wine_by_Jakkub_Mede.jpg": ("Jakub Mede", "CC-BY-4.0"),
    "aitzgorri_by_Aitzol_Berasategi.jpg": ("Aitzol Berasategi", "CC-BY-4.0"),
    "analogpattern_by_Peter_Nerlich.jpg": ("Peter Nerlich", "CC-BY-SA-4.0"),
    "free_by_Peter_Nerlich.jpg": ("Peter Nerlich", "CC-BY-SA-4.0"),
    "friends_by_Aitzol_Berasategi.jpg": ("Aitzol Berasategi", "CC-BY-4.0"),
    "greentock_by_Peter_Nerlich.jpg": ("Peter Nerlich", "CC-BY-SA-4.0"),
    "life_by_Aitzol_Berasategi.jpg": ("Aitzol Berasategi", "CC-BY-4.0"),
    "picosdeeuropa_by_Aitzol_Berasategi.jpg": ("Aitzol Berasategi", "CC-BY-4.0"),
    "seeding_by_Clements_Engelhardt.jpg": ("Clemens Engelhardt", "CC0-1.0"),
    "sunset_by_Aitzol_Berasategi.jpg": ("Aitzol Berasategi", "CC-BY-4.0"),
}
LOMIRI_20_04: dict[str, tuple[str, str]] = {
    "Kleiber_by_Lukas_Baubkus.jpg": ("Lukas Baubkus", "CC-BY-SA-3.0"),
}
MATE_NATURE: dict[str, tuple[str, str]] = {
    "Aqua.jpg": ("Charles Barbin", "GPL-2+"),
    "Blinds.jpg": ("Lennart Poettering, Andrea Cimitan", "GPL-2+"),
    "Dune.jpg": ("Marco Cogoni, Hylke Bons", "GPL-2+"),
    "FreshFlower.jpg": ("Jens Ansorg", "GPL-2+"),
    "Garden.jpg": ("Charles Barbin", "GPL-2+"),
    "GreenMeadow.jpg": ("Timothy Schellhase, Lapo Calamandrei", "GPL-2+"),
    "LadyBird.jpg": ("Charles Barbin", "GPL-2+"),
    "RainDrops.jpg": ("blackcombwhistler07", "GPL-2+"),
    "Storm.jpg": ("Sergey Nazarov", "GPL-2+"),
    "TwoWings.jpg": ("Charles Barbin, Hylke Bons", "GPL-2+"),
    "Wood.jpg": ("Jean-François Fortin Tam", "GPL-2+"),
    "YellowFlower.jpg": ("Charles Barbin", "GPL-2+"),
}
# Author and licence from each wallpaper's metadata.json; Debian's copyright file says GPL-2+ for
# the whole package, so both readings allow reuse and modification.
PLASMA: dict[str, tuple[str, str]] = {
    "BytheWater": ("Maciej Wiklo", "LGPL-3"),
    "ColdRipple": ("Risto Saukonpää", "LGPL-3"),
    "ColorfulCups": ("Dmitri Popov", "LGPL-3"),
    "DarkestHour": ("Risto Saukonpää", "LGPL-3"),
    "EveningGlow": ("Ian Hex", "LGPL-3"),
    "FallenLeaf": ("Martin Klapetek", "LGPL-3"),
    "Grey": ("Sigi Sagi", "LGPL-3"),
    "Kite": ("Risto Saukonpää", "LGPL-3"),
    "OneStandsOut": ("Risto Saukonpää", "LGPL-3"),
    "Path": ("Risto Saukonpää", "LGPL-3"),
    "summer_1am": ("Risto Saukonpää", "LGPL-3"),
}
# From the docstrings in skimage.data. Left out: motorcycle and coins, whose terms are not stated,
# and text, microscopy and diagrams, which are no photographs of a scene.
SCIKIT_IMAGE_FILES: dict[str, tuple[str, str]] = {
    "astronaut.png": ("NASA", "public domain"),
    "brick.png": ("CC0Textures", "CC0-1.0"),
    "camera.png": ("Lav Varshney", "CC0-1.0"),
    "chelsea.png": ("Stefan van der Walt", "CC0-1.0"),
    "coffee.png": ("Rachel Michetti", "CC0-1.0"),
    "grass.png": ("linolafett", "CC0-1.0"),
    "gravel.png": ("CC0Textures", "CC0-1.0"),
    "hubble_deep_field.jpg": ("NASA", "public domain"),
    "rocket.jpg": ("SpaceX", "public domain"),
}
# From README.txt beside the pictures. For flower.jpg it names one author and links another, so
# both stand here.
SCIKIT_LEARN: dict[str, tuple[str, str]] = {
    "china.jpg": ("danielbuechele", "CC-BY-2.0"),
    "flower.jpg": ("danielbuechele, or vultilion by its link", "CC-BY-2.0"),
}


def listed_pictures() -> list[Picture]:
    """Every picture to collect, without the shipped samples, in a fixed order."""
    pictures = [
        Picture(GCOMPRIS, f"{GCOMPRIS_RCC}/{folder.split('/')[0]}.rcc!{folder}/{name}.webp")
        for folder, names in GCOMPRIS_PICTURES.items()
        for name in names.split()
    ]
    for package, pattern, table in (
        ("lomiri-wallpapers-16.04", "usr/share/backgrounds/{}", LOMIRI_16_04),
        ("lomiri-wallpapers-20.04", "usr/share/backgrounds/{}", LOMIRI_20_04),
        ("mate-backgrounds", "usr/share/backgrounds/mate/nature/{}", MATE_NATURE),
        (
            "plasma-workspace-wallpapers",
            "usr/share/wallpapers/{}/contents/images/2560x1600.jpg",
            PLASMA,
        ),
        (
            "python3-sklearn",
            "usr/lib/python3/dist-packages/sklearn/datasets/images/{}",
            SCIKIT_LEARN,
        ),
        (SCIKIT_IMAGE, "data/{}", SCIKIT_IMAGE_FILES),
    ):
        pictures += [
            Picture(package, pattern.format(name), Credit(author, licence))
            for name, (author, licence) in table.items()
        ]
    return [picture for picture in pictures if picture.key not in HELD_OUT]


def file_name(picture: Picture) -> str:
    """A lowercase file name that tells the package and the picture apart from all others."""
    inner = PurePosixPath(picture.path.rpartition("!")[2])
    if picture.package == GCOMPRIS:
        group = f"{inner.parts[0]}-{inner.parent.name}"
    else:
        group = picture.package
    # Plasma names each file by its size, and its wallpaper three folders up.
    stem = (
        inner.parts[-4] if inner.parent.name == "images" and "x1600" in inner.stem else inner.stem
    )
    return re.sub(r"[^a-z0-9]+", "-", f"{group}-{stem}".lower()).strip("-") + ".jpg"


def collect(out: Path) -> list[dict[str, str | int]]:
    """Write the pictures and `SOURCES.json` into `out`; return the rows of the latter.

    Raises:
        PictureSourceError: A package or picture could not be had, or has no free licence.
    """
    pictures = listed_pictures()
    require_distinct(file_name(picture) for picture in pictures)
    rows: list[dict[str, str | int]] = []
    with tempfile.TemporaryDirectory() as folder:
        store = PictureStore(Path(folder))
        for picture in pictures:
            credit = store.credit(picture)
            image = resized(store.image(picture), LONGEST_SIDE)
            write_jpeg(image, out / file_name(picture), QUALITY)
            rows.append(
                {
                    "file": file_name(picture),
                    "package": picture.package,
                    "version": store.version(picture.package),
                    "path": picture.path,
                    "licence": credit.licence,
                    "author": credit.author,
                    "url": credit.url,
                    "width": image.width,
                    "height": image.height,
                }
            )
    rows.sort(key=lambda row: str(row["file"]))
    _drop_unlisted(out, {str(row["file"]) for row in rows})
    content = json.dumps(rows, ensure_ascii=False, indent=1) + "\n"
    write_atomic(out / "SOURCES.json", content.encode("utf-8"))
    return rows


def _drop_unlisted(out: Path, names: set[str]) -> None:
    """Delete what an earlier run wrote and the lists no longer name.

    Without this a picture held out since then would stay in the folder and be trained on.
    """
    earlier = out / "SOURCES.json"
    if earlier.is_file():
        for row in json.loads(earlier.read_text(encoding="utf-8")):
            if row["file"] not in names:
                (out / Path(row["file"]).name).unlink(missing_ok=True)


def main() -> int:
    """Run from the command line."""
    return run_script(
        "Collect freely licensed photographs.",
        Path("build/free_pictures"),
        lambda out: f"{len(collect(out))} photographs and SOURCES.json in {out}",
    )


if __name__ == "__main__":
    sys.exit(main())
