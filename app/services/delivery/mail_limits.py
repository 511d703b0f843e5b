"""How many mails one address gets within a day.

Nobody has proved that an address is theirs: anybody can type a stranger's. So every mail to buyers and colleagues
counts. Mails to the seller do not: the settings have that address.
"""

from datetime import timedelta

from sqlalchemy import Connection, and_, bindparam, func, select

from app.database.transactions import query
from app.models import OutboxMessage, Registration
from app.services.outbox import queue
from app.services.outbox.queue import ClaimedMessage
from app.services.signup import invitations

DAY = timedelta(days=1)
RESUME = "buyer_resume"
MAX_RESUME, MAX_OTHERS = 1, 20

TO_BUYER = and_(
    OutboxMessage.registration_id == Registration.id, func.lower(Registration.email) == func.lower(bindparam("email"))
)
# Those that were stored before this one: the first ones are sent, whichever is tried first.
COUNT_EARLIER = (
    select(func.count())
    .select_from(OutboxMessage)
    .join(Registration, TO_BUYER)
    .where(
        OutboxMessage.lane == queue.MAIL_LANE,
        OutboxMessage.outcome.in_(("waiting", "delivered")),
        OutboxMessage.id < bindparam("mail"),
        OutboxMessage.created_at > bindparam("since"),
    )
)
IS_RESUME = OutboxMessage.type == RESUME
COUNT_RESUME = COUNT_EARLIER.where(IS_RESUME)
COUNT_OTHERS = COUNT_EARLIER.where(OutboxMessage.type.startswith("buyer_", autoescape=True), ~IS_RESUME)


@query
def is_over(connection: Connection, claimed: ClaimedMessage, email: str) -> bool:
    """Return whether the address had its mails of this kind within the day before this one was stored."""
    if claimed.type.startswith("seller_"):
        return False
    since = claimed.created_at - DAY
    if claimed.type == invitations.MAIL:
        return invitations.count_mails(connection, email, since, claimed.id) >= invitations.MAX_MAILS_TO_ADDRESS
    statement, limit = (COUNT_RESUME, MAX_RESUME) if claimed.type == RESUME else (COUNT_OTHERS, MAX_OTHERS)
    earlier = connection.execute(statement, {"mail": claimed.id, "since": since, "email": email}).scalar_one()
    return earlier >= limit
