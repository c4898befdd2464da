"""Word of how a flow ended, through Prefect's notification blocks: Slack, e-mail, Teams, any webhook and the rest.

A block is made in Prefect's pages or by `prefect block register`; its secrets stay in Prefect's server.
"""

from collections.abc import Sequence

from prefect import get_run_logger
from prefect.blocks import notifications  # noqa: F401  makes the built-in kinds known to `Block.load`
from prefect.blocks.core import Block


def tell(blocks: Sequence[str], subject: str, body: str) -> None:
    """Sends to every block, such as `slack-webhook/team`. One that fails is a warning: the flow's work is done.

    Of an error only its class is logged: addresses of webhooks are secrets, and messages quote them.
    """
    for name in blocks:
        try:
            Block.load(name).notify(body, subject)
        except Exception as error:
            get_run_logger().warning("the notification block %s did not take it (%s)", name, type(error).__name__)
