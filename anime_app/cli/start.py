"""Where the command `anime` begins, so that Ctrl-C shows nobody which module Python was reading just then."""

import signal


def main() -> int:
    """As `command.main`, which is imported here."""
    try:
        from anime_app.cli.command import main as run

        return run()
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
