"""quantflux's workflow as long as it waits out its patience: what giving up saves, and that it changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from benchmarks.learning.ours_driver import OurWorkflow
from benchmarks.learning.rivals.running import main


class PatientWorkflow(OurWorkflow):
    """As many rounds as Qlib does: a fold's last one comes `PATIENCE` rounds after its best, whatever was lost."""

    parameters: ClassVar[Mapping[str, Any]] = {"give_up_rounds": 0}


if __name__ == "__main__":
    main(PatientWorkflow)
