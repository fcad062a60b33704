"""An image file as pixels of one size: PNG, JPEG and what else Pillow reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from lmlab.data.found import Fault

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm")
"""Of files that are taken for images."""

Array = np.ndarray[Any, np.dtype[Any]]


def read_picture(path: Path, *, size: int, channels: int) -> Array:
    """Pixels uint8 [size, size, channels]: the middle square, the right way up, what is transparent on white.

    Args:
        channels: 1: grey; 3: red, green, blue.

    Raises:
        Fault: for a file that cannot be read.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    if not path.is_file():
        raise Fault("does not exist", "correct its name, or put it there")
    if not path.stat().st_size:
        raise Fault("is empty", "put the image there")
    try:
        with Image.open(path) as opened:
            image: Any = ImageOps.exif_transpose(opened)
            image.load()
            return _pixels(_flat(image), size, "L" if channels == 1 else "RGB")
    except PermissionError:
        raise Fault("may not be read by you", "change its permissions") from None
    except UnidentifiedImageError:
        raise Fault("is no image that can be read", "write it as png or jpeg") from None
    except Image.DecompressionBombError:
        raise Fault("has more pixels than is safe to read", "make it smaller") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # Pillow's, for what is cut off or damaged
        raise Fault(
            f"is damaged ({str(error).splitlines()[0] if str(error) else 'it ends early'})", "write it again"
        ) from None


def _flat(image: Any) -> Any:
    """Levels of 16 bits as 8, transparency on white."""
    from PIL import Image

    if image.mode.startswith("I"):
        levels = np.asarray(image).astype(np.float64)
        return Image.fromarray((levels / (257 if levels.max() > 255 else 1)).clip(0, 255).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        whole = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", whole.size, "white"), whole)
    return image


def _pixels(image: Any, size: int, mode: str) -> Array:
    from PIL import Image, ImageOps

    fitted = ImageOps.fit(image.convert(mode), (size, size), Image.Resampling.BICUBIC)
    found: Array = np.asarray(fitted, np.uint8).reshape(size, size, -1)
    return found
