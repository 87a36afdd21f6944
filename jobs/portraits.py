"""Read a picture and make a small face of it: in a child, for a picture may be made to hurt who reads it."""

from __future__ import annotations

from io import BytesIO

SIDE = 96
MOST_PIXELS = 40_000_000
_FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "ICO", "BMP")


def portrait(body: bytes) -> bytes | None:
    """Return a picture as a square WebP of 96 pixels, or None for what is no picture.

    Only formats without scripts are read, and no more pixels than a large photograph has.
    """
    from PIL import Image, ImageOps  # 20 MB that only this needs

    Image.MAX_IMAGE_PIXELS = MOST_PIXELS // 2  # beyond twice of it Pillow refuses, in between it warns
    try:
        with Image.open(BytesIO(body), formats=_FORMATS) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                return None
            opened.draft("RGB", (SIDE * 2, SIDE * 2))
            square = ImageOps.fit(ImageOps.exif_transpose(opened).convert("RGBA"), (SIDE, SIDE))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None
    made = BytesIO()
    square.save(made, "WEBP", quality=80, method=4)
    return made.getvalue()
