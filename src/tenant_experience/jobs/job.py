"""How every SageMaker script ends: a refusal exits 0 with ``outcome.json``, anything unexpected exits 1.

The state machine sees a failed ``.sync`` job only as ``States.TaskFailed``, so it distinguishes refusals by reading
``outcome.json``. The console shows what is in ``/opt/ml/output``: ``message`` (a processing job's ExitMessage, first
1 KB) and ``failure`` (a training job's FailureReason, first 1,024 characters).
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path

from tenant_experience.data_layout import ml_root, processing_output
from tenant_experience.errors import AlgorithmError, PlatformError, UserError
from tenant_experience.jobs.outcome import Outcome
from tenant_experience.log_redaction import RedactingFormatter

Main = Callable[[list[str] | None], Outcome]

EXIT_MESSAGE_BYTES = 1_024
logger = logging.getLogger("job")


def run_job(main: Main, output: str | None) -> int:
    """Runs a processing script to its exit code.

    Args:
        main: parses the arguments (None: ``sys.argv``), does the work, and returns its outcome.
        output: the name of the processing output that receives ``outcome.json``; None when another instance writes it.

    Returns:
        0 when ``main`` returned or refused (UserError, AlgorithmError), otherwise 1.
    """
    return _run(main, processing_output(output) if output else None, ("message",))


def run_training_job(main: Main) -> int:
    """Runs a training script to its exit code; ``outcome.json`` goes to ``/opt/ml/model`` and so into the archive."""
    return _run(main, ml_root() / "model", ("message", "failure"))


def _run(main: Main, folder: Path | None, reports: tuple[str, ...]) -> int:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(RedactingFormatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    try:
        outcome = main(None)
    except (UserError, AlgorithmError) as refusal:
        logger.warning("refused: %s", refusal)
        _report(str(refusal), reports)
        if folder:
            Outcome.refused(refusal).write(folder)
        return 0
    except PlatformError as error:
        logger.exception("failed")
        _report(str(error), reports)
        return 1
    except Exception as error:
        logger.exception("failed")
        _report(f"{PlatformError.__name__}: unexpected: {type(error).__name__}: {error}", reports)
        return 1
    if outcome.status != "ok":
        _report(f"{outcome.fault} error: {outcome.code}: {outcome.message}", reports)
    if folder:
        outcome.write(folder)
    return 0


def _report(text: str, reports: tuple[str, ...]) -> None:
    folder = ml_root() / "output"
    folder.mkdir(parents=True, exist_ok=True)
    for name in reports:
        (folder / name).write_bytes(text.encode()[:EXIT_MESSAGE_BYTES].decode(errors="ignore").encode())
