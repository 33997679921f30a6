"""Synthetic databases, laid out on disk as the makers of the real ones do; no row is theirs."""

import json
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from PIL import Image

from aesthetic_tv.databases.row_photos import unpack_rows
from aesthetic_tv.databases.sources import PICK_A_PIC_PHOTOS

WORKERS = 40


def photo_bytes(number: int) -> bytes:
    """A JPEG of 8 x 6 pixels, different for each number."""
    color = (number * 37 % 256, number * 91 % 256, number % 256)
    file = BytesIO()
    Image.new("RGB", (8, 6), color).save(file, "JPEG")
    return file.getvalue() + number.to_bytes(4, "big")


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def photos(folder: Path, names: list[str]) -> None:
    write(folder, {name: photo_bytes(number) for number, name in enumerate(names)})


def table(header: str, rows: list[tuple], separator: str = ",", line: str = "\n") -> str:
    lines = [separator.join(map(str, row)) for row in rows]
    return line.join([*([header] if header else []), *lines, ""])


def ava(folder: Path) -> None:
    ids = range(100, 110)
    rows = [(i, n, 0, 1, 2, 3, 5, 3, 2, i, 0, 0, 1, 22, 1396) for i, n in enumerate(ids, 1)]
    tests = "\n".join(map(str, [*range(108, 110), 999]))
    write(
        folder,
        {
            "AVA.txt": table("", rows, " "),
            "aesthetics_image_lists/generic_test.jpgl": tests,
        },
    )
    photos(folder / "images", [f"{n}.jpg" for n in ids])


def tad66k(folder: Path) -> None:
    parts = {"train": range(6), "test": range(6, 8)}
    for split, numbers in parts.items():
        rows = [(f"9{n}@N0{n}.jpg", 1.5 + n / 4) for n in numbers]
        write(folder, {f"labels/merge/{split}.csv": table("image,score", rows)})
        write(folder, {f"labels/unmerge/{split}/art.csv": table("image,score", rows[:1])})
    photos(folder / "TAD66K", [f"9{n}@N0{n}.jpg" for n in range(8)])


def baid(folder: Path) -> None:
    for number, split in enumerate(("train", "val", "test")):
        rows = [(f"{10 * number + n}.jpg", 3 + n + number / 10) for n in range(3)]
        write(folder, {f"dataset/{split}_set.csv": table("image,score", rows)})
    photos(folder / "images", [f"{10 * part + n}.jpg" for part in range(3) for n in range(3)])


def koniq(folder: Path) -> None:
    sets = ["training"] * 5 + ["validation", "test"]
    rows = [
        (f"{n}.jpg", 0, 0.1, 0.2, 0.6, 0.1, 100, 60.5 + n, 0.5, name) for n, name in enumerate(sets)
    ]
    header = "image_name,c1,c2,c3,c4,c5,c_total,MOS,SD,set"
    write(folder, {"koniq10k_distributions_sets.csv": table(header, rows)})
    photos(folder / "1024x768", [f"{n}.jpg" for n in range(len(sets))])


def spaq(folder: Path) -> None:
    names = [f"{n:05d}.jpg" for n in range(1, 9)]
    frame = pd.DataFrame({"Image name": names, "MOS": [20.5 + n for n in range(8)], "Noisiness": 1})
    path = folder / "Annotations" / "MOS and Image attribute scores.xlsx"
    path.parent.mkdir(parents=True)
    frame.to_excel(path, index=False)
    photos(folder / "TestImage", names)


def aadb(folder: Path) -> None:
    names = [f"farm1_33{n}_194{n}_ab_b.jpg" for n in range(8)]
    scores = [0.1 + n / 10 for n in range(8)]
    parts = {"Train": range(5), "Validation": range(5, 6), "TestNew": range(6, 8)}
    for part, numbers in parts.items():
        lines = "".join(f"{names[n]} {scores[n]:.3f}\n" for n in numbers)
        write(folder, {f"imgListFiles_label/imgList{part}Regression_score.txt": lines})
        write(folder, {f"imgListFiles_label/imgList{part}Regression_Light.txt": lines})
    photos(folder / "datasetImages_originalSize", names[:6])
    photos(folder / "AADB_newtest_originalSize", [f"{scores[n]:.3f}_{names[n]}" for n in (6, 7)])
    urls = [f"https://farm1.staticflickr.com/33{n}/194{n}_ab_b.jpg" for n in range(8)]
    header = "HITId,WorkerId,Input.image_url1,Input.image_url2,Answer.overallScore1,"
    rows = [("h", f"W{w}", urls[w], urls[7 - w], f"<b>{w + 1}</b>", 5 - w) for w in range(3)]
    write(folder, {"result_csv.csv": table(header + "Answer.overallScore2", rows)})


def eva(folder: Path) -> None:
    header = "image_id=user_id=score=difficulty=visual=composition=quality=semantic=vote_time=1=2"
    rows = [
        (100 + n, f"E{v}", (n + 3 * v) % 11, 1, 2, 2, 3, 4, 5.5, 0, 1)
        for n in range(6)
        for v in range(4)
    ]
    write(folder, {"data/votes_filtered.csv": table(header, rows, "=")})
    photos(folder / "images" / "EVA_together", [f"{100 + n}.jpg" for n in range(6)])


def para(folder: Path) -> None:
    names = [(f"session{1 + n // 4}", f"iaa_pub{n}_.jpg") for n in range(8)]
    steps = ",".join(f"aestheticScore_{1 + s / 2:.1f}" for s in range(9))
    header = f"imageName,sessionId,semantic,{steps},aestheticScore_mean,aestheticScore_std"
    for split, numbers in {"Train": range(6), "Test": range(6, 8)}.items():
        rows = [
            (names[n][1], names[n][0], "plant", 0, 0, 1, 2, 9, 5, 3, 0, 0, 2.5 + n / 8, 0.5)
            for n in numbers
        ]
        write(folder, {f"annotation/PARA-Giaa{split}.csv": table(header, rows)})
    votes = [
        (session, name, f"A{user}", 1 + (user + n) % 5, 3)
        for n, (session, name) in enumerate(names)
        for user in range(3)
    ]
    header = "sessionId,imageName,userId,aestheticScore,qualityScore"
    write(folder, {"annotation/PARA-Images.csv": table(header, votes)})
    photos(folder / "imgs", [f"{session}/{name}" for session, name in names])


def lapis(folder: Path) -> None:
    parts = {"Train": range(4), "Val": range(4, 5), "Test": range(5, 7)}
    for part, numbers in parts.items():
        rows = [(n, f"art_{n}.jpg", 30.5 + n) for n in numbers]
        text = table("image_id,image_filename,mean_response", rows)
        write(folder, {f"annotation/LAPIS_GIAA_{part}split.csv": text})
    votes = [(f"p{u}", n, f"art_{n}.jpg", 10 * n + u) for n in range(7) for u in range(2)]
    header = "participant_id,image_id,image_filename,rating"
    write(folder, {"annotation/LAPIS_PIAA.csv": table(header, votes)})
    photos(folder / "images", [f"art_{n}.jpg" for n in range(7)])


def paq_2_piq(folder: Path) -> None:
    names = [f"voc_emotic_ava/AVA__{n}.jpg" for n in range(5)] + ["blur_dataset/motion0001.jpg"]
    rows = [(name, 60.25 + n) for n, name in enumerate(names)]
    header = "mos_patch_1,name_patch,mos_image,name_image,width_image,height_image"
    large = [(70.5, name.replace("voc_emotic_ava", "patches"), 61.25, name, 800, 700)
             for name in names[1:3]]  # fmt: skip
    tables = {"labels_image.csv": table("name,mos", rows), "labels640.csv": table(header, large)}
    write(folder, tables)
    photos(folder / "database", names)


def real_cur(folder: Path) -> None:
    names = [f"images/{w}/{1 + n % 5}/IMG_{n}.jpg" for w in ("ann", "ben") for n in range(6)]
    photos(folder, names)


def flickr_aes(folder: Path, test_workers: int = 37) -> None:
    """The test workers label 105 of 109 photos each; the others six more, and one of those."""
    shared = [f" farm{n}_1_b.jpg" for n in range(109)]
    rest = [f" farm{n}_2_b.jpg" for n in range(6)]
    votes = []
    for worker in range(WORKERS):
        theirs = shared[worker % 5 :][:105] if worker < test_workers else [*rest, shared[0]]
        votes += [(f"A{worker:02d}", name, 1 + (worker + n) % 5) for n, name in enumerate(theirs)]
    header = "worker, imagePair, score"
    write(
        folder,
        {
            "FLICKR-AES_image_labeled_by_each_worker.csv": table(header, votes, ","),
            "FLICKR-AES_image_score.txt": "".join(
                f"{name} {0.2 + n / 200}\n" for n, name in enumerate([*shared, *rest])
            ),
        },
    )
    photos(
        folder / "40K", [name if n % 2 else name.strip() for n, name in enumerate(shared + rest)]
    )


def kadid(folder: Path) -> None:
    """Each reference spoilt in three ways; the references lie beside, without a score."""
    rows = [
        (f"I{ref:02d}_01_{level:02d}.png", f"I{ref:02d}.png", 4.5 - level + ref / 50, 0.3)
        for ref in range(1, 11)
        for level in range(1, 4)
    ]
    write(folder, {"dmos.csv": table("dist_img,ref_img,dmos,var", rows)})
    names = {name for dist, ref, *_ in rows for name in (dist, ref)}
    photos(folder / "images", sorted(names))


def agiqa(folder: Path) -> None:
    """Each prompt drawn by three models."""
    header = "name,prompt,adj1,adj2,style,mos_quality,std_quality,mos_align,std_align"
    rows = [
        (f"{model}_normal_{n:03d}.jpg", f"a tray of {n}", "", "", "", 0.5 + m + n / 20, 0.2, 1, 0.5)
        for n in range(10)
        for m, model in enumerate(("AttnGAN", "glide", "midjourney"))
    ]
    write(folder, {"data.csv": table(header, rows)})
    photos(folder / "images", [row[0] for row in rows])


# user, first image, second image, what the first got (None: not judged)
PICKS = {
    "train": [(7, 0, 1, 1.0), (7, 0, 2, 0.0), (8, 0, 1, 0.5), (8, 3, 4, None), (8, 2, 1, 1.0)],
    "validation": [(9, 5, 6, 1.0), (9, 6, 7, 0.0)],
    "test": [(7, 8, 2, 0.0)],
}


def pick_a_pic_rows(part: str) -> pd.DataFrame:
    """Rows as the data set's card has them; each holds both of its images."""
    return pd.DataFrame(
        {
            "are_different": True,
            "best_image_uid": "",
            "caption": "a cat",
            "has_label": share is not None,
            "image_0_uid": f"uid-{first}",
            "image_1_uid": f"uid-{second}",
            "jpg_0": photo_bytes(first),
            "jpg_1": photo_bytes(second),
            "label_0": 0.5 if share is None else share,
            "label_1": 0.5 if share is None else 1 - share,
            "ranking_id": 1,
            "user_id": user,
        }
        for user, first, second, share in PICKS[part]
    )


def pick_a_pic(folder: Path) -> None:
    """As `fetch` lays it out."""
    with TemporaryDirectory() as fetched:
        files = [Path(fetched) / f"{part}-00000-of-00001.parquet" for part in PICKS]
        for part, file in zip(PICKS, files, strict=True):
            pick_a_pic_rows(part).to_parquet(file)
        unpack_rows(files, folder, PICK_A_PIC_PHOTOS)


PAMELA_PARTS = {  # who rates which of 8 images
    "train": (("p1", "p2"), range(4)),
    "val_seen": (("p1", "p2"), range(4, 5)),
    "val_unseen": (("p3",), range(8)),
    "test_seen": (("p1", "p2"), range(5, 7)),
    "test_unseen": (("p4",), range(6, 8)),
}


def pamela_rows(part: str) -> list[dict]:
    people, images = PAMELA_PARTS[part]
    return [
        {
            "participant_id": who,
            "image_id": n,
            "image_path": f"./images/g_{n:04d}.png",
            "original_score": 1 + (n + int(who[1])) % 5,
            "image_metadata": {"group": "art", "style": "cinematic"},
        }
        for who in people
        for n in images
    ]


def pamela(folder: Path) -> None:
    for part in PAMELA_PARTS:
        write(folder, {f"annotations/pamela_{part}.json": json.dumps(pamela_rows(part))})
    photos(folder / "images", [f"g_{n:04d}.png" for n in range(8)])


WRITERS = {
    "ava": ava,
    "tad66k": tad66k,
    "flickr-aes": flickr_aes,
    "para": para,
    "koniq-10k": koniq,
    "spaq": spaq,
    "aadb": aadb,
    "real-cur": real_cur,
    "eva": eva,
    "baid": baid,
    "lapis": lapis,
    "paq-2-piq": paq_2_piq,
    "pamela": pamela,
    "kadid-10k": kadid,
    "agiqa-3k": agiqa,
    "pick-a-pic": pick_a_pic,
}
