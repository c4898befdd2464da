"""What a person sees in their terminal while a flow runs: what happens to stages, and nothing about Prefect itself."""

import logging

from prefect.logging.configuration import setup_logging

# Prefect's own lines on the life of runs; tasks say the same in a person's words.
DROPPED = ("Beginning flow run", "View at", "Finished in state", "Task run failed with", "Crash detected!")


def quiet() -> None:
    """Filter the terminal only: Prefect's pages get everything. Tracebacks go too: the message has the reason."""
    setup_logging()
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # each retry of MLflow's client
    for handler in logging.getLogger().handlers:
        handler.addFilter(_for_people)


def _for_people(record: logging.LogRecord) -> bool:
    record.exc_info = record.exc_text = None
    return not (record.name.startswith("prefect") and record.getMessage().startswith(DROPPED))
