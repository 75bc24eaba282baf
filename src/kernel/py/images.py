"""Images that suit a model: at most 1568 pixels on the long side and 700 KiB, shrunk with Pillow where it is there."""

import struct

SIDE_MAX = 1568
BYTES_MAX = 700 << 10


def png_size(data):
    """(width, height) of a PNG, or None."""
    if len(data) < 24 or data[:8] != b"\x89PNG\r\n\x1a\n":
        return None
    return struct.unpack(">II", data[16:24])


def jpeg_size(data):
    if data[:2] != b"\xff\xd8":
        return None
    i = 2
    while i + 9 < len(data) and data[i] == 0xFF:
        kind = data[i + 1]
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[i + 5 : i + 9])
            return width, height
        i += 2 + struct.unpack(">H", data[i + 2 : i + 4])[0]
    return None


def kind(data):
    """MIME of image bytes by their first bytes, or None."""
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "image/png"
    if data[:3] == b"\xff\xd8\xff":
        return "image/jpeg"
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return "image/gif"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data[:2] == b"BM":
        return "image/bmp"
    return None


def fit(data):
    """(MIME, bytes) to send for image bytes of any kind; None when they cannot be made to fit."""
    mime = kind(data)
    size = png_size(data) if mime == "image/png" else jpeg_size(data) if mime == "image/jpeg" else None
    if size is not None and max(size) <= SIDE_MAX and len(data) <= BYTES_MAX:
        return mime, data
    try:
        import io

        from PIL import Image

        return from_pil(Image.open(io.BytesIO(data)))
    except Exception:
        if size is not None and len(data) <= BYTES_MAX:
            return mime, data  # large, but it can be sent
        return None


def from_pil(image):
    """(MIME, bytes) of a Pillow image."""
    import io

    if max(image.size) > SIDE_MAX:
        image = image.copy()
        image.thumbnail((SIDE_MAX, SIDE_MAX))
    if image.mode not in ("1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16"):
        image = image.convert("RGBA" if "A" in image.mode or "a" in image.mode else "RGB")
    out = io.BytesIO()
    image.save(out, "PNG")
    if len(out.getvalue()) <= BYTES_MAX:
        return "image/png", out.getvalue()
    flat = image
    if image.mode in ("RGBA", "LA", "P"):  # on white, as a page would show it
        from PIL import Image

        rgba = image.convert("RGBA")
        flat = Image.new("RGB", rgba.size, "white")
        flat.paste(rgba, mask=rgba.getchannel("A"))
    flat = flat.convert("RGB")
    quality = 85
    while True:
        out = io.BytesIO()
        flat.save(out, "JPEG", quality=quality)
        if len(out.getvalue()) <= BYTES_MAX:
            return "image/jpeg", out.getvalue()
        flat = flat.resize((max(1, flat.width * 3 // 4), max(1, flat.height * 3 // 4)))
        quality = 75
