"""Style sheet of the start window: the display's colours for fields, lists and buttons, and a ring for the focus."""

from __future__ import annotations

from rtaffect.view.parts import theme

FIELD = "#10161d"
FOCUS = theme.PREDICTED

STYLE = f"""
{theme.STYLE}
QLineEdit, QComboBox, QTableWidget, QListWidget#problems {{
    color: {theme.TEXT}; background: {FIELD}; border: 1px solid {theme.GRID}; border-radius: 4px;
    selection-background-color: {theme.SELECTED}; selection-color: {theme.TEXT};
}}
QLineEdit, QComboBox {{ padding: 1px 5px; min-height: 20px; }}
QComboBox::drop-down {{ border: none; width: 16px; }}
QComboBox QAbstractItemView {{
    color: {theme.TEXT}; background: {FIELD}; border: 1px solid {theme.FAINT}; outline: none;
    selection-background-color: {theme.SELECTED}; selection-color: {theme.TEXT};
}}
QLineEdit:focus, QComboBox:focus, QTableWidget:focus, QListWidget#problems:focus, QWidget#signal:focus {{
    border: 2px solid {FOCUS}; padding: 0px 4px;
}}
QTableWidget:focus, QListWidget#problems:focus {{ padding: 0; }}
QLineEdit:disabled, QComboBox:disabled {{ color: {theme.FAINT}; }}
QPushButton {{
    color: {theme.TEXT}; background: {theme.SELECTED}; border: 1px solid {theme.GRID}; border-radius: 4px;
    padding: 2px 8px; min-height: 20px;
}}
QPushButton:hover {{ border-color: {theme.FAINT}; }}
QPushButton:focus {{ border: 2px solid {FOCUS}; padding: 1px 7px; }}
QPushButton:disabled {{ color: {theme.FAINT}; background: {theme.CARD}; }}
QPushButton:checked {{ background: #2c5f86; border-color: {FOCUS}; }}
QPushButton#start {{ font-size: 17px; background: {theme.GOOD}; border-color: #3fc6a5; }}
QPushButton#start:focus {{ border: 2px solid {theme.TEXT}; }}
QPushButton#start:disabled {{ background: {theme.CARD}; border-color: {theme.GRID}; }}
QPushButton#browse {{ padding: 2px 0; min-width: 26px; max-width: 26px; }}
QCheckBox {{ color: {theme.TEXT}; spacing: 6px; border: 2px solid transparent; border-radius: 4px; }}
QCheckBox:focus {{ border-color: {FOCUS}; }}
QCheckBox::indicator, QTableWidget::indicator {{
    width: 12px; height: 12px; border: 1px solid {theme.MUTED}; border-radius: 3px; background: {FIELD};
}}
QCheckBox::indicator:checked, QTableWidget::indicator:checked {{
    background: {theme.PREDICTED}; border: 3px solid {theme.TEXT}; width: 8px; height: 8px;
}}
QTableWidget {{ gridline-color: {theme.GRID}; outline: none; }}
QTableWidget::item:selected {{ background: {theme.SELECTED}; color: {theme.TEXT}; }}
QHeaderView {{ background: transparent; }}
QHeaderView::section {{
    color: {theme.MUTED}; background: {theme.CARD}; border: none; border-bottom: 1px solid {theme.GRID};
    padding: 1px 4px;
}}
QListWidget#problems {{ padding: 2px; }}
QListWidget#problems::item {{ padding: 1px 2px; }}
QListWidget#problems::item:selected {{ background: {theme.SELECTED}; }}
"""
