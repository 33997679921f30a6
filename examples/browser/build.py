"""One page that ranks local photos by a taste, in any browser, with no server at all.

    aesthetic-tv export my-taste --out my-taste.onnx
    npm install onnxruntime-web@1.30.0
    python examples/browser/build.py --taste my-taste.onnx \
        --runtime node_modules/onnxruntime-web/dist --out my-taste.html

The page holds everything: open it with a double click, or send it to somebody. Without `--taste` it
asks for one. Of onnxruntime-web (MIT) it takes two files, named in RUNTIME.
"""

import argparse
import base64
import os
import sys
from pathlib import Path

PAGE = Path(__file__).with_name("index.html")
RUNTIME = {
    "RUNTIME_SCRIPT": "ort.wasm.bundle.min.mjs",
    "RUNTIME_WASM": "ort-wasm-simd-threaded.wasm",
}


def build(runtime: Path, taste: Path | None = None) -> str:
    """The page's text.

    Args:
        runtime: folder with the two files of onnxruntime-web.
        taste: an export in ONNX that takes photos; the page asks for one when not given.

    Raises:
        OSError: one of the files is not there.
    """
    page = PAGE.read_text("utf-8")
    held = {place: (runtime / name).read_bytes() for place, name in RUNTIME.items()}
    held["TASTE"] = b"" if taste is None else taste.read_bytes()
    for place, content in held.items():
        page = page.replace(f">{place}<", f">{base64.b64encode(content).decode()}<", 1)
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--taste", type=Path, help="my-taste.onnx; the page asks when not given")
    parser.add_argument(
        "--runtime", type=Path, required=True, help="the folder dist/ of onnxruntime-web"
    )
    parser.add_argument("--out", type=Path, required=True, help="page to write, .html")
    parser.add_argument("--overwrite", action="store_true")
    options = parser.parse_args()
    if options.out.exists() and not options.overwrite:
        sys.exit(f"{options.out} exists; add --overwrite, or name another file.")
    try:
        page = build(options.runtime, options.taste)
    except OSError as error:
        names = " and ".join(RUNTIME.values())
        sys.exit(
            f"{error.filename}: {error.strerror}. --runtime is the folder that holds {names}, as "
            "of `npm install onnxruntime-web`."
        )
    temporary = options.out.with_name(f".{options.out.name}.{os.getpid()}.tmp")
    temporary.write_text(page, "utf-8")
    temporary.replace(options.out)
    print(f"{options.out}: {len(page) / 1e6:.0f} MB; open it in a browser.")


if __name__ == "__main__":
    main()
