"""Two themes: the colours of every widget, and the palette and style sheet made from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

from PyQt6.QtGui import QColor, QFont, QPalette
from PyQt6.QtWidgets import QApplication


@dataclass(frozen=True)
class Theme:
    """Colours by what they mean."""

    name: str
    window: str
    panel: str
    plot: str
    line: str
    text: str
    dim: str
    accent: str
    good: str
    warn: str
    bad: str
    regions: dict[str, str] = field(default_factory=dict)
    classes: tuple[str, ...] = ()

    def colour(self, name: str, alpha: int = 255) -> QColor:
        """By its name here. Not to be changed: the same is handed out again."""
        return _colour(getattr(self, name), alpha)

    def region(self, name: str) -> QColor:
        return QColor(self.regions.get(name, self.text))

    def of_class(self, index: int, alarm: int | None = None, alpha: int = 255) -> QColor:
        """alarm: the class that rings an alarm; red is its colour, and no other's. Not to be changed."""
        return _colour(self.bad if index == alarm else self.classes[index % len(self.classes)], alpha)


@cache
def _colour(text: str, alpha: int) -> QColor:
    colour = QColor(text)
    colour.setAlpha(alpha)
    return colour


DARK = Theme(
    name="dark", window="#14171c", panel="#1b1f26", plot="#101317", line="#2c323c", text="#dfe3ea", dim="#8a93a3",
    accent="#6ea8fe", good="#69c08c", warn="#e0af5b", bad="#f2635f",
    regions={
        "frontal": "#8fb6e8", "central": "#c9cfda", "temporal": "#e3b27c", "parietal": "#a9cf9b",
        "occipital": "#c3a6dc", "left": "#8fb6e8", "right": "#e3b27c", "midline": "#c9cfda", "other": "#b9c2cf",
    },
    classes=("#7fcbd0", "#e3b27c", "#c3a6dc", "#a9cf9b", "#d9d27f", "#6ea8fe"),
)  # fmt: skip

LIGHT = Theme(
    name="light", window="#eef0f3", panel="#ffffff", plot="#ffffff", line="#d5d9e0", text="#1d222b", dim="#667080",
    accent="#1f63c4", good="#1f7a48", warn="#9a6200", bad="#c62828",
    regions={
        "frontal": "#2a5d9f", "central": "#3a4350", "temporal": "#a05a10", "parietal": "#33701f",
        "occipital": "#6d3f96", "left": "#2a5d9f", "right": "#a05a10", "midline": "#3a4350", "other": "#3f4957",
    },
    classes=("#127a80", "#a05a10", "#6d3f96", "#33701f", "#6f6a00", "#1f63c4"),
)  # fmt: skip

THEMES = {theme.name: theme for theme in (DARK, LIGHT)}


def apply(theme: Theme, points: float = 9.5) -> None:
    """Dress the whole application. points: the size of its text."""
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    font = QFont(app.font())
    font.setPointSizeF(points)
    app.setFont(font)
    app.setPalette(_palette(theme))
    app.setStyleSheet(_sheet(theme, points))


def _palette(theme: Theme) -> QPalette:
    palette = QPalette()
    role = QPalette.ColorRole
    for colour, roles in (
        (theme.window, (role.Window,)),
        (theme.panel, (role.Base, role.Button, role.AlternateBase, role.ToolTipBase)),
        (theme.text, (role.WindowText, role.Text, role.ButtonText, role.ToolTipText, role.BrightText)),
        (theme.dim, (role.PlaceholderText,)),
        (theme.accent, (role.Highlight, role.Link)),
        (theme.window, (role.HighlightedText,)),
    ):
        for one in roles:
            palette.setColor(one, QColor(colour))
    for one in (role.Text, role.WindowText, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, one, QColor(theme.dim))
    return palette


def _sheet(theme: Theme, points: float) -> str:
    t = theme
    small = points * 0.92
    return f"""
    QMainWindow, QDialog {{ background: {t.window}; }}
    QToolTip {{ color: {t.text}; background: {t.panel}; border: 1px solid {t.line}; padding: 3px; }}
    QFrame#panel {{ background: {t.panel}; border: 1px solid {t.line}; border-radius: 6px; }}
    QLabel#heading {{ color: {t.dim}; font-size: {small}pt; font-weight: 600; }}
    QLabel#key {{ color: {t.dim}; }}
    QLabel#value[wrong="true"] {{ color: {t.bad}; font-weight: 600; }}
    QLabel#chip {{
        background: {t.panel}; color: {t.text}; border: 1px solid {t.line}; border-radius: 5px; padding: 3px 8px;
    }}
    QLabel#dim {{ color: {t.dim}; }}
    QToolButton, QPushButton, QComboBox {{
        background: {t.panel}; color: {t.text}; border: 1px solid {t.line}; border-radius: 5px; padding: 4px 6px;
    }}
    QToolButton:hover, QPushButton:hover, QComboBox:hover {{ border-color: {t.accent}; }}
    QToolButton:focus, QPushButton:focus, QComboBox:focus {{ border-color: {t.accent}; }}
    QToolButton:checked, QPushButton:checked {{ background: {t.accent}; color: {t.window}; border-color: {t.accent}; }}
    QPushButton#acknowledge {{
        background: {t.plot}; color: {t.bad}; border: 2px solid {t.plot}; padding: 1px 6px; font-weight: 700;
    }}
    QPushButton#acknowledge:hover, QPushButton#acknowledge:focus {{ border-color: {t.text}; }}
    QPushButton:default {{ border-color: {t.accent}; }}
    QToolButton:disabled, QPushButton:disabled, QComboBox:disabled {{ color: {t.dim}; }}
    QToolButton::menu-indicator {{ image: none; width: 0; }}
    QComboBox::drop-down {{ border: 0; width: 16px; }}
    QComboBox QAbstractItemView, QMenu {{
        background: {t.panel}; color: {t.text}; border: 1px solid {t.line};
        selection-background-color: {t.accent}; selection-color: {t.window};
    }}
    QMenu::item:disabled {{ color: {t.dim}; }}
    QLineEdit {{ background: {t.plot}; border: 1px solid {t.line}; border-radius: 5px; padding: 4px 6px; }}
    QLineEdit:focus {{ border-color: {t.accent}; }}
    QTableView, QListView {{
        background: {t.panel}; alternate-background-color: {t.window}; border: 0; gridline-color: {t.line};
        selection-background-color: {t.accent}; selection-color: {t.window};
    }}
    QListView::item {{ padding: 4px 6px; }}
    QHeaderView::section {{
        background: {t.panel}; color: {t.dim}; border: 0; border-bottom: 1px solid {t.line}; padding: 2px 5px;
        font-size: {small}pt;
    }}
    QTableCornerButton::section {{ background: {t.panel}; border: 0; }}
    QTabBar::tab {{
        background: transparent; color: {t.dim}; border: 0; border-bottom: 2px solid transparent; padding: 3px 8px;
    }}
    QTabBar::tab:selected {{ color: {t.text}; border-bottom-color: {t.accent}; }}
    QTabWidget::pane {{ border: 0; }}
    QSplitter::handle {{ background: {t.window}; }}
    QSlider::groove:horizontal {{ background: {t.line}; height: 4px; border-radius: 2px; }}
    QSlider::sub-page:horizontal {{ background: {t.accent}; height: 4px; border-radius: 2px; }}
    QSlider::handle:horizontal {{
        background: {t.accent}; border: 2px solid {t.panel}; width: 12px; margin: -6px 0; border-radius: 8px;
    }}
    QScrollBar:vertical {{ background: transparent; width: 9px; margin: 0; }}
    QScrollBar::handle:vertical {{ background: {t.line}; border-radius: 4px; min-height: 24px; }}
    QScrollBar::add-line, QScrollBar::sub-line {{ height: 0; }}
    """
