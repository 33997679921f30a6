"""A scorer for other runtimes: ONNX and OpenVINO, and what runs them without torch."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from aesthetic_tv.export.exporting import ExportReport as ExportReport
    from aesthetic_tv.export.exporting import ExportSettings as ExportSettings
    from aesthetic_tv.export.exporting import check_output as check_output
    from aesthetic_tv.export.exporting import export_scorer as export_scorer
    from aesthetic_tv.export.runner_file import write_runner as write_runner

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "exporting": ["ExportReport", "ExportSettings", "check_output", "export_scorer"],
        "runner_file": ["write_runner"],
    },
)
