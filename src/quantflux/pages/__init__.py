"""Self-contained HTML pages with charts: in Chinese and English, light and dark, wide, narrow and on paper.

A page is text (`markup.py`), charts (`charts.py`) and what shows them (`page.py`, `template.html`, `style.css`,
`script.js`). It holds everything it needs, Plotly included, and loads nothing.
"""

from quantflux.pages.page import Page
from quantflux.pages.words import Words

__all__ = ["Page", "Words"]
