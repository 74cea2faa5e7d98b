"""What a config, the report and ``embedpipe --help`` import is light."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
import embedpipe.experiment.compare, embedpipe.experiment.comparison, embedpipe.experiment.results_file
print([name for name in ("torch", "transformers", "sklearn", "scipy", "pandas") if name in sys.modules])
"""


def test_neither_settings_nor_results_import_torch_or_scikit_learn():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
