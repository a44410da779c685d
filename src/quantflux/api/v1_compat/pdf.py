"""Lines of text as a PDF: v1's page saves the report that it exports as one."""

from __future__ import annotations

from collections.abc import Sequence

_LINES_A_PAGE, _SIZE, _LEADING = 56, 10, 13
_WIDTH, _HEIGHT, _MARGIN = 595, 842, 50


def pdf_of(lines: Sequence[str]) -> bytes:
    """Return a PDF of lines; what is not plain ASCII is shown as a question mark.

    Examples
    --------
    >>> pdf_of(["one"])[:8], pdf_of(["one"]).rstrip()[-5:]
    (b'%PDF-1.4', b'%%EOF')
    """
    pages = [lines[first : first + _LINES_A_PAGE] for first in range(0, len(lines), _LINES_A_PAGE)] or [[]]
    kids = " ".join(f"{4 + 2 * place} 0 R" for place in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Courier >>",
    ]
    for place, page in enumerate(pages):
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {_WIDTH} {_HEIGHT}] /Contents {5 + 2 * place} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>".encode()
        )
        text = _shown(page)
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(text), text))
    return _document(objects)


def _shown(lines: Sequence[str]) -> bytes:
    moves = [f"BT /F1 {_SIZE} Tf {_LEADING} TL {_MARGIN} {_HEIGHT - _MARGIN} Td"]
    for line in lines:
        plain = "".join(c if " " <= c <= "~" else "?" for c in line)
        escaped = plain.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
        moves.append(f"({escaped}) Tj T*")
    return "\n".join([*moves, "ET"]).encode("ascii")


def _document(objects: Sequence[bytes]) -> bytes:
    made = bytearray(b"%PDF-1.4\n")
    places = []
    for number, content in enumerate(objects, start=1):
        places.append(len(made))
        made += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start = len(made)
    made += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    made += b"".join(b"%010d 00000 n \n" % place for place in places)
    made += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(made)
