"""The same as a PDF of A4 pages, drawn by matplotlib."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from rtbci.report.contents import Contents, Table
from rtbci.report.figures import INK, QUIET, curve_figure, montage_figure, reliability_figure, strip_figure, strip_title

PAGE = (8.27, 11.69)  # inches, A4
LEFT, RIGHT, TOP, BOTTOM = 0.08, 0.92, 0.95, 0.06
LINE = 0.0165  # of the page's height, at 9 points
WIDTH = 100  # characters of a line
STRIPS_A_PAGE = 3


def pdf(contents: Contents) -> bytes:
    """The report as a PDF."""
    from matplotlib.backends.backend_pdf import PdfPages

    out = io.BytesIO()
    with PdfPages(out, metadata={"Title": contents.title, "Creator": "rtbci"}) as pages:
        for figure in _pages(contents):
            pages.savefig(figure)
    return out.getvalue()


def _pages(contents: Contents) -> Iterator[Any]:
    yield from _Writer().all(_front(contents))
    yield _figures_page(contents)
    yield from _Writer().all(line for table in contents.tables() if table.rows for line in _table_lines(table))
    strips = list(contents.strips)
    for first in range(0, len(strips), STRIPS_A_PAGE):
        yield _images_page(
            [(strip_title(strip), strip_figure(strip)) for strip in strips[first : first + STRIPS_A_PAGE]]
        )
    yield from _Writer().all(_back(contents))


def _front(contents: Contents) -> Iterator[tuple[str, str]]:
    yield "title", contents.title
    yield "quiet", contents.subtitle
    if limits := contents.limits():
        yield "head", "What these recordings cannot carry"
        for line in limits:
            yield "text", f"•  {line}"
    yield from _table_lines(contents.headline())
    yield "head", "Model card"
    for name, value in contents.model_card():
        yield "text", f"{name}: {value}"


def _back(contents: Contents) -> Iterator[tuple[str, str]]:
    if contents.warnings:
        yield "head", "Warnings"
        for line in contents.warnings:
            yield "text", f"•  {line}"
    yield "head", "Configuration"
    yield "mono", " ".join(contents.config_text().split())


def _table_lines(table: Table) -> Iterator[tuple[str, str]]:
    """A table in columns of one width each, as text."""
    yield "head", table.title
    rows = [table.head, *table.rows]
    most = max(12, (WIDTH - 2 * len(table.head)) // len(table.head))
    widths = [min(max(len(row[i]) for row in rows), 2 * most) for i in range(len(table.head))]
    for number, row in enumerate(rows):
        cells = [_cut(cell, width).ljust(width) for cell, width in zip(row, widths, strict=True)]
        yield "mono quiet" if number == 0 else "mono", "  ".join(cells)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


class _Writer:
    """Lines of text from the top of a page to its bottom, on as many pages as it takes."""

    _SIZES = {"title": 15.0, "head": 11.0, "text": 9.0, "quiet": 8.0, "mono": 7.0, "mono quiet": 7.0}  # noqa: RUF012

    def __init__(self) -> None:
        self._figure: Any = None
        self._y = 0.0

    def all(self, lines: Iterator[tuple[str, str]]) -> Iterator[Any]:
        """The pages of some lines, each with its style."""
        for style, text in lines:
            size = self._SIZES[style]
            wide = 128 if style.startswith("mono") else round(0.92 * WIDTH * 9 / size)
            for number, part in enumerate(
                textwrap.wrap(text, wide, subsequent_indent="   ", drop_whitespace=not style.startswith("mono")) or [""]
            ):
                if self._figure is None or self._y < BOTTOM:
                    if self._figure is not None:
                        yield self._figure
                    self._figure, self._y = _blank(), TOP
                self._write(style, part, size, is_first=number == 0)
        if self._figure is not None:
            yield self._figure

    def _write(self, style: str, text: str, size: float, *, is_first: bool) -> None:
        self._y -= LINE * size / 9 * (1.8 if style == "head" and is_first else 1.0)
        self._figure.text(
            LEFT, self._y, text, fontsize=size, color=QUIET if "quiet" in style else INK, parse_math=False,
            family="monospace" if style.startswith("mono") else "sans-serif",
            weight="bold" if style in ("title", "head") else "normal",
        )  # fmt: skip


def _blank() -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=PAGE)


def _figures_page(contents: Contents) -> Any:
    e = contents.evaluation
    return _images_page(
        [
            ("What each threshold comes to", curve_figure(e.curve, e.threshold)),
            ("Whether a probability means what it says; larger dots, more hops", reliability_figure(e.calibration)),
            ("The channels that the pipeline needs", montage_figure(contents.pipeline.channels)),
        ]
    )


def _images_page(images: Sequence[tuple[str, Any]]) -> Any:
    """Figures below one another, each as wide as it fits."""
    from matplotlib.image import imread

    page, height = _blank(), (TOP - BOTTOM) / max(len(images), STRIPS_A_PAGE)
    for number, (title, figure) in enumerate(images):
        drawn = io.BytesIO()
        figure.savefig(drawn, format="png", dpi=150)
        drawn.seek(0)
        top = TOP - number * height
        page.text(LEFT, top - 0.012, title, fontsize=9, color=INK, parse_math=False)
        axis = page.add_axes((LEFT, top - height + 0.02, RIGHT - LEFT, height - 0.04))
        axis.imshow(imread(drawn), interpolation="antialiased")
        axis.set_anchor("NW")
        axis.axis("off")
    return page
