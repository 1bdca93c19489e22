"""Command line: `python -m steadfit_trainer fetch|publish|evaluate|quarantine`, configured by the environment."""

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from steadfit_trainer.config import Config
from steadfit_trainer.deadline import Deadline
from steadfit_trainer.failures import Failure
from steadfit_trainer.paths import Paths
from steadfit_trainer.report import termination_message
from steadfit_trainer.steps.evaluate import evaluate_versions
from steadfit_trainer.steps.fetch import fetch
from steadfit_trainer.steps.publish import publish
from steadfit_trainer.steps.quarantine import QuarantineConfig, write_note

LOG = logging.getLogger(__name__)

STEPS = ("fetch", "publish", "evaluate", "quarantine")
# The operator's class for it, and for every other code that has none, is Internal: it does not retry.
INTERNAL_EXIT_CODE = 1


def main(arguments: list[str], environment: Mapping[str, str]) -> int:
    """Run one step; return the exit code: 0, 10 (Data), 11 (Store), 12 (UserError), 13 (Known), else 1.

    Variables: STEADFIT_CONFIG; STEADFIT_CA_FILE (certificates of the operator), STEADFIT_PUBLISH_DEADLINE
    (seconds, default 1800), STEADFIT_ROOT (default /steadfit), STEADFIT_TERMINATION_LOG.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    log = Path(environment.get("STEADFIT_TERMINATION_LOG", "/dev/termination-log"))
    if len(arguments) != 1 or arguments[0] not in STEPS:
        return _end(log, "Internal", f"Say which step to do: {' or '.join(STEPS)}.", INTERNAL_EXIT_CODE)
    try:
        if arguments[0] == "quarantine":
            write_note(QuarantineConfig.model_validate_json(environment.get("STEADFIT_CONFIG", "")))
            return 0
        config = Config.model_validate_json(environment.get("STEADFIT_CONFIG", ""))
        paths = Paths(Path(environment.get("STEADFIT_ROOT", "/steadfit")))
        if arguments[0] == "fetch":
            fetch(config, paths)
        else:
            ca_file = environment.get("STEADFIT_CA_FILE")
            deadline = Deadline(float(environment.get("STEADFIT_PUBLISH_DEADLINE", "1800")))
            trusted = Path(ca_file) if ca_file else None
            if arguments[0] == "publish":
                LOG.info("the version is %s", publish(config, paths, trusted, deadline))
            else:
                LOG.info("found %s", evaluate_versions(config, paths, trusted, deadline))
    except Failure as failure:
        LOG.error("%s", failure, exc_info=failure.__cause__)
        return _end(log, failure.failure_class, str(failure), failure.exit_code)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        return _end(log, "Internal", f"STEADFIT_CONFIG is wrong at '{where}': {first['msg']}.", INTERNAL_EXIT_CODE)
    except Exception as error:
        LOG.exception("the step failed")
        return _end(
            log, "Internal", f"The {arguments[0]} step failed: {type(error).__name__}: {error}", INTERNAL_EXIT_CODE
        )
    return 0


def _end(log: Path, failure_class: str, sentence: str, code: int) -> int:
    LOG.error("%s", termination_message.write(log, failure_class, sentence))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
