"""What a comparison has found, to be read: one HTML file, and a table for the terminal.

::

    print(table(results))
    write_report(results, timings, "comparison/report.html")
"""

from __future__ import annotations

from embedpipe.report.page import write_report
from embedpipe.report.terminal import table

__all__ = ["table", "write_report"]
