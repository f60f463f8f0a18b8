"""Writes a page as PNG, SVG or PDF, prints it, and writes a stretch as EDF+."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtCore import QBuffer, QIODevice, QMarginsF, QRectF, QSize, QSizeF
from PyQt6.QtGui import QImage, QPageLayout, QPageSize, QPainter, QPdfWriter
from PyQt6.QtPrintSupport import QPrintDialog, QPrinter
from PyQt6.QtSvg import QSvgGenerator
from PyQt6.QtWidgets import QWidget

from rtbci.dashboard.page_picture import HEIGHT, WIDTH, PagePicture
from rtbci.errors import ConfigError
from rtbci.files import atomic_write

PNG_DPI = 300
UNITS_PER_INCH = 254  # tenths of a millimetre
KINDS = "PDF (*.pdf);;PNG (*.png);;SVG (*.svg)"


def write_page(path: Path, picture: PagePicture) -> None:
    """Write the page, whole or not at all, in the format of the file's ending.

    Raises
    ------
    ConfigError
        Where the ending is none of .pdf, .png and .svg.
    OSError
        Where the disk does not take it.
    """
    makers = {".png": _png, ".pdf": _pdf, ".svg": _svg}
    make = makers.get(path.suffix.lower())
    if make is None:
        raise ConfigError(f"{path.name}: a page is written as {', '.join(makers)}")
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    make(buffer, picture)
    atomic_write(path, buffer.data().data())


def print_page(picture: PagePicture, parent: QWidget) -> str:
    """Ask for a printer and print; what was done, "" where the user does not want to. Raises OSError."""
    printer = QPrinter(QPrinter.PrinterMode.HighResolution)
    printer.setPageLayout(_layout())
    if QPrintDialog(printer, parent).exec() != QPrintDialog.DialogCode.Accepted:
        return ""
    printer.setFullPage(True)
    painter = QPainter()
    if not painter.begin(printer):
        raise OSError(f"the printer {printer.printerName()!r} does not take the page")
    painter.scale(printer.resolution() / UNITS_PER_INCH, printer.resolution() / UNITS_PER_INCH)
    picture.paint(painter)
    painter.end()
    return f"printed on {printer.printerName() or printer.outputFileName()}"


def _layout() -> QPageLayout:
    size = QPageSize(QSizeF(210, 297), QPageSize.Unit.Millimeter)
    return QPageLayout(size, QPageLayout.Orientation.Landscape, QMarginsF(0, 0, 0, 0))


def _png(buffer: QBuffer, picture: PagePicture) -> None:
    scale = PNG_DPI / UNITS_PER_INCH
    image = QImage(round(WIDTH * scale), round(HEIGHT * scale), QImage.Format.Format_RGB32)
    image.setDotsPerMeterX(round(PNG_DPI / 0.0254))
    image.setDotsPerMeterY(round(PNG_DPI / 0.0254))
    painter = QPainter(image)
    painter.scale(scale, scale)
    picture.paint(painter)
    painter.end()
    image.save(buffer, "PNG")


def _pdf(buffer: QBuffer, picture: PagePicture) -> None:
    writer = QPdfWriter(buffer)
    writer.setResolution(1270)
    writer.setPageLayout(_layout())
    writer.setCreator("rtbci")
    painter = QPainter(writer)
    painter.scale(1270 / UNITS_PER_INCH, 1270 / UNITS_PER_INCH)
    picture.paint(painter)
    painter.end()


def _svg(buffer: QBuffer, picture: PagePicture) -> None:
    writer = QSvgGenerator()
    writer.setOutputDevice(buffer)
    writer.setResolution(UNITS_PER_INCH)
    writer.setSize(QSize(WIDTH, HEIGHT))
    writer.setViewBox(QRectF(0, 0, WIDTH, HEIGHT))
    writer.setTitle("rtbci")
    painter = QPainter(writer)
    picture.paint(painter)
    painter.end()
