"""Gather what the packaged EDSR weights were trained on (sr_deepfake/super_resolution/weights/README.md says more).

    apt-get download lomiri-wallpapers-16.04 lomiri-wallpapers-20.04 mate-backgrounds plasma-workspace-wallpapers
    for package in *.deb; do dpkg-deb -x "$package" packages; done
    pip install openvino && pip install --no-deps random-face==2021.7.21.1
    python tools/sr_training_data.py packages data

writes data/photos, data/photos_held_out, data/faces, data/faces_held_out and data/faces_test.
"""

import argparse
import importlib.util
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

# Photos; drawings and renderings of the same packages are left out, three of them with much detail aside.
PHOTOS = (
    "lomiri", "Aqua.jpg", "Blinds.jpg", "Dune.jpg", "FreshFlower.jpg", "Garden.jpg", "GreenMeadow.jpg", "LadyBird.jpg",
    "RainDrops.jpg", "Storm.jpg", "TwoWings.jpg", "Wood.jpg", "YellowFlower.jpg", "BytheWater/2560x1600.jpg",
    "ColorfulCups/2560x1600.jpg", "EveningGlow/2560x1600.jpg", "Grey/2560x1600.jpg", "Kite/2560x1600.jpg",
    "OneStandsOut/2560x1600.jpg", "Path/2560x1600.jpg", "Patak/5120x2880.png", "SafeLanding/5120x2880.jpg",
    "Volna/5120x2880.jpg", "FallenLeaf/2560x1600.jpg",
)  # fmt: skip
NO_PHOTOS = (
    "Infinite-Sea_by_Aury88.jpg", "Painting-Colors_by__herobrine7gamer.jpg", "umang_by_Abhishek_Mudgal.jpg",
)  # fmt: skip
HELD_OUT = ("friends_by_Aitzol_Berasategi.jpg", "FallenLeaf_2560x1600.jpg")
TRUNCATION = 0.68
# Faces are drawn at 1024 px; pictures in the world were scaled down in many ways.
FILTERS = (Image.Resampling.BOX, Image.Resampling.LANCZOS, Image.Resampling.BICUBIC)


def gather_photos(packages: Path, out: Path) -> None:
    """Copy the photos of the unpacked packages."""
    backgrounds, wallpapers = packages / "usr/share/backgrounds", packages / "usr/share/wallpapers"
    files = {path.name: path for path in sorted(backgrounds.glob("*.jpg")) if path.name not in NO_PHOTOS}
    for name in PHOTOS[1:]:
        folder, _, size = name.rpartition("/")
        if folder:
            files[f"{folder}_{size}"] = wallpapers / folder / "contents/images" / size
        else:
            files[name] = backgrounds / "mate/nature" / name
    for name, path in files.items():
        if name not in HELD_OUT:
            (out / "photos").mkdir(parents=True, exist_ok=True)
            shutil.copy(path, out / "photos" / name)
            continue
        (out / "photos_held_out").mkdir(parents=True, exist_ok=True)
        photo = Image.open(path).convert("RGB")
        photo.thumbnail((900, 900), Image.Resampling.LANCZOS)
        photo.save(out / "photos_held_out" / f"{Path(name).stem}.png")


def draw_faces(out: Path, seed: int, count: int, filters: tuple[Image.Resampling, ...]) -> None:
    """Draw faces of people who do not exist, 512 px."""
    import openvino

    found = importlib.util.find_spec("random_face")
    if found is None or found.origin is None:
        raise SystemExit("pip install --no-deps random-face==2021.7.21.1")
    models = Path(found.origin).parent / "data"
    core = openvino.Core()
    style_of, picture_of = (
        core.compile_model(models / f"{name}Network.xml", "CPU") for name in ("Mapping", "Synthesis")
    )

    def style(random: np.random.Generator) -> np.ndarray:
        return np.asarray(style_of({0: random.normal(size=(1, 512)).astype(np.float32)})[0])

    mean = np.mean([style(np.random.default_rng(number)) for number in range(512)], axis=0)
    random = np.random.default_rng(seed)
    out.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        values = picture_of({0: mean + TRUNCATION * (style(random) - mean)})[0][0]
        levels = ((np.clip(values, -1, 1) + 1) / 2 * 255).round().astype(np.uint8).transpose(1, 2, 0)
        face = Image.fromarray(np.ascontiguousarray(levels)).resize((512, 512), filters[index % len(filters)])
        face.save(out / f"face_{seed}_{index:04d}.png")


def main() -> None:
    """Gather photos and draw faces."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", type=Path, help="where the Debian packages were unpacked")
    parser.add_argument("out", type=Path)
    parser.add_argument("--faces", type=int, default=500, help="of them to train on")
    arguments = parser.parse_args()
    gather_photos(arguments.packages, arguments.out)
    draw_faces(arguments.out / "faces", 7, arguments.faces, FILTERS)
    draw_faces(arguments.out / "faces_held_out", 99, 12, FILTERS)
    draw_faces(arguments.out / "faces_test", 4242, 24, FILTERS[:1])


if __name__ == "__main__":
    main()
