"""What a picture shows, by groups of the 1000 ImageNet classes: judgements without a judge.

    python scripts/embedded_bank/content.py [--lite 0] [--photos FOLDER]

The published network names one of 1000 classes. Its belief that a picture shows anything of a
group is the sum of the group's probabilities, and the log-odds of that sum is a score that any
unlabelled picture can be given, by no person's opinion: the target of a task vector of content.
Log-odds rather than probabilities, which sit at 0 and 1 and rank nothing in between.

Prints, for each photo, the groups that score highest and the class named first.
"""

import argparse
import json
from importlib.util import find_spec
from pathlib import Path

import torch
from convert_lite import LITES, PHOTOS, convert, read_pixels
from rich import box
from rich.console import Console
from rich.table import Table

CLASSES = 1000
# Indices in the order of ILSVRC 2012, of which network and label lists agree: single ones and
# ranges with both ends. Checked name by name. No class is in two groups; what fits none is in
# none (a candle, an umbrella, a bubble), and counts against all of them.
GROUPS: dict[str, str] = {
    # Everything from the tench to the puffer.
    "animals": "0-397",
    # Flowers, seeds, hay and mushrooms; flowerpot and greenhouse, where flowers are seen.
    "plants": "580 738 946-947 958 984-986 988-997",
    # Dishes, fruit and vegetables, drinks, what they are served and cooked in, shops for them.
    "food": """415 440-441 503-505 509 521 532 544 550 567 572 582 659 737 762 809 849 907 909
        923-945 948-957 959-969 987 998""",
    # Mountains, coasts, lakes, reefs; dam, dock, pier, breakwater, and the fence in a field.
    "landscape": "460 525 536 718 912 970 972-980",
    # Houses, churches, castles, bridges, monuments, walls and roofs, from outside.
    "buildings": """425 437 442 449 483 497-498 500 538 562 634 649 660 663 668 682 698 706 716
        727 743 821 825 832 839 853 858 863 873 884 888 900 915""",
    # Rooms and shops, furniture, curtains, lamps, bath and large kitchen machines.
    "interiors": """406 421 423-424 431 435 453-454 493 495 516 520 526 534 548 556 559 564 598
        619 624 648 669 721 736 741 750 753 760 765 788-789 794 799 819 827 831 846 854 857
        860-861 865 876 894 896-897 904-905""",
    # On roads, rails, fields, water and in the air, with parts of them, cranes and missiles.
    "vehicles": """403-405 407-408 417 436 444 450 466 468 472 475 479 484 510-511 517 535 537 540
        547 554-555 561 565 569 573 575-576 581 586 595 603 609 612 621 625 627-628 654 656-657
        661 665 670-671 675 690 694 701 705 717 724 730 734 744 751 757 779-780 802-803 812 814
        817 820 829 833 847 856 864 866-867 870-871 874 880 895 908 913-914""",
    # Worn on the body. There is no class of people but the last three (ballplayer, groom, diver).
    "clothing": """399-400 411 414 433 439 443 445 451-452 457 459 461 465 474 490 501-502 514-515
        518 524 529 552 560 568 570 578 584 601 608 610 614-615 617 630 638-639 643 652 655 658
        667 679 689 697 715 735 748 770 774-775 793 796 806 808 824 834 836-837 841-842 869 887
        903 906 981-983""",
    # Musical instruments, balls and other gear of sports.
    "play": """401-402 416 420 422 429-430 432 486 513 522 541 543 546 558 566 574 577 579 593-594
        602 641-642 683-684 687 699 702 722 746-747 752 768 776 795 801 805 822 852 875 881
        889-890""",
    # Screens, keyboards, cameras, telephones, clocks; web sites, comics, signs and other print.
    "screens": """409 446 481-482 485 487 508 527-528 530-531 549 590 592 605 613 620 632
        650 662 664 673 681 688 692 707 713 732 742 745 754 759 761 781-782 810 844 848 851 878
        892 916-919 921-922""",
    # Tools, weapons, containers and other small things for the hand, mostly seen alone.
    "tools": """412-413 418 434 438 447 455-456 462-463 469 473 477-478 491-492 499 506-507 512
        519 523 533 542 545 551 563 585 587-589 596-597 600 604 606 616 618 622-623 626 629 631
        633 635 647 653 666 674 676-677 680 695-696 700 709-712 714 719-720 725-726 728-729 731
        740 749 758 763-764 766-767 769 771-773 777-778 783-784 786-787 792 798 804 813 816 823
        826 828 838 840 845 855 859 868 882 891 893 898-899 901-902 910 999""",
}


def class_indices(group: str) -> list[int]:
    """`"1 3-5"` to [1, 3, 4, 5]."""
    ranges = (part.partition("-") for part in group.split())
    return [k for first, _, last in ranges for k in range(int(first), int(last or first) + 1)]


def membership() -> torch.Tensor:
    """Whether a class is in a group: bool (G, 1000), groups in the order of `GROUPS`.

    Raises:
        ValueError: a class is in two groups, or there is no such class.
    """
    within = torch.zeros(len(GROUPS), CLASSES, dtype=torch.bool)
    for row, group in zip(within, GROUPS.values(), strict=True):
        indices = class_indices(group)
        if max(indices) >= CLASSES:
            raise ValueError(f"There are {CLASSES} classes; found index {max(indices)}.")
        row[indices] = True
    twice = torch.nonzero(within.sum(0) > 1).flatten().tolist()
    if twice:
        raise ValueError(f"Classes {twice} are in more than one group.")
    return within


def group_log_odds(logits: torch.Tensor) -> torch.Tensor:
    """How surely each picture shows each group: log(p / (1 - p)), p the group's probability.

    By logarithms of sums on both sides, so that a p that rounds to 0 or 1 keeps its rank.

    Args:
        logits: class logits, floats (n, 1000).

    Returns:
        float32 (n, G), unbounded, groups in the order of `GROUPS`.
    """
    within = membership().to(logits.device)
    logits = logits.float()[:, None, :]  # (n, 1, 1000)
    inside = logits.masked_fill(~within, -torch.inf).logsumexp(2)  # (n, G)
    outside = logits.masked_fill(within, -torch.inf).logsumexp(2)
    return inside - outside


def class_names() -> list[str]:
    """Names of the classes where gradio, which has a list of them, is installed; else numbers."""
    gradio = find_spec("gradio")
    if gradio is None or gradio.origin is None:
        return [str(k) for k in range(CLASSES)]
    path = Path(gradio.origin).parent / "media_assets/data/imagenet_labels.json"
    return json.loads(path.read_text("utf-8"))


@torch.inference_mode()
def content_table(lite: int, photos: list[Path], *, shown: int = 3) -> Table:
    """The highest groups and the first class of each photo."""
    tower, classes = convert(lite)
    logits = classes(tower(read_pixels(photos, tower.config.image_size)).pooler_output)
    table = Table("photo", "log-odds of groups", "first class", box=box.MARKDOWN)
    names, groups = class_names(), list(GROUPS)
    chances = logits.softmax(1)
    for photo, row, chance in zip(photos, group_log_odds(logits), chances, strict=True):
        best = row.argsort(descending=True)[:shown].tolist()
        first = int(chance.argmax())
        table.add_row(photo.stem, ", ".join(f"{groups[g]} {row[g]:+.1f}" for g in best),
                      f"{names[first]} {chance[first]:.2f}")  # fmt: skip
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lite", type=int, choices=LITES, default=0)
    parser.add_argument("--photos", type=Path, default=PHOTOS)
    options = parser.parse_args()
    photos = sorted(options.photos.glob("*.jpg"))
    Console(width=120).print(content_table(options.lite, photos))


if __name__ == "__main__":
    main()
