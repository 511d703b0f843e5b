"""Three people, two purchases, outages, lost replies, corrections and merges: nobody enters another's account."""

from urllib.parse import parse_qs, urlsplit

import jwt
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from sqlalchemy import delete

from app.config import products
from app.database import transactions
from app.models import Registration, Subscription
from app.services.delivery import send_handoff
from app.services.events import merge
from app.services.reports import outbox
from app.services.signup import erasure, progress, retry_pending
from sandbox.purchases import Purchase
from tests.support.aws_events import ACCOUNT_ID, LICENSE_UPDATED
from tests.support.clock import time_passes
from tests.support.databases import on_sqlite
from tests.support.factories import ANSWERS, PRODUCT_CODE, order
from tests.support.handoff_receiver import Reply
from tests.support.new_buyer import NewBuyer
from tests.support.one_account_product import URL, OneAccountProduct
from tests.support.outbox_messages import claim_next, handoff_messages
from tests.support.page_checks import csrf_token
from tests.support.personal_data import dump_tables, run_transaction
from tests.support.registered_buyer import RegisteredBuyer
from tests.support.stored_rows import all_rows, tables_to_empty
from tests.views.shared_purchase.steps import land

PEOPLE = ("ada@gmail.com", "bob@gmail.com", "carl@gmail.com")
WHO, WHICH = st.integers(0, 2), st.integers(0, 1)
# How the product answers: well, or in such a way that nothing was made, or that something was without a word of it.
MOODS = ("well", "well", "away", "deaf", "silent", "refuses")


class SharedPurchases(RuleBasedStateMachine):
    """Each person has a browser. The worker's steps are made one by one, and its clock runs ahead."""

    buyer: NewBuyer
    product: OneAccountProduct

    @initialize()
    def start(self) -> None:
        with self.app.app_context(), transactions.current_database().write_engine.begin() as connection:
            for table in tables_to_empty():
                connection.execute(delete(table))
        self.product.owners, self.product.accounts = {}, {}
        self.product.reply = self.product.process
        self.browsers = {email: self.app.test_client() for email in PEOPLE}
        marketplace = self.buyer.sandbox.marketplace
        marketplace.change_faults(aws_down=False)
        self.purchases: list[Purchase] = [marketplace.buy(order(account_id=ACCOUNT_ID)) for _ in range(2)]
        self.hours, self.corrections = 0, 0
        self.erased: set[str] = set()

    @property
    def app(self) -> Flask:
        return self.buyer.client.application

    # What people do.

    @rule(who=WHO, which=WHICH, is_aws_down=st.booleans())
    def come(self, who: int, which: int, is_aws_down: bool) -> None:
        marketplace = self.buyer.sandbox.marketplace
        marketplace.change_faults(aws_down=is_aws_down)
        land(self.buyer, self.browsers[PEOPLE[who]], self.purchases[which])
        marketplace.change_faults(aws_down=False)
        self.register(who, is_loud=False)

    @rule(who=WHO, is_loud=st.booleans())
    def register(self, who: int, is_loud: bool) -> None:
        """Send the form, if there is one: once more, with a correction and perhaps in capitals."""
        browser, email = self.browsers[PEOPLE[who]], PEOPLE[who]
        page = browser.get("/signup?change=")
        if page.status_code == 200 and 'name="csrf_token"' in page.text:
            self.corrections += 1
            answers = {**ANSWERS, "email": email.upper() if is_loud else email, "phone": f"+1 555 {self.corrections}"}
            browser.post("/signup", data={**answers, "csrf_token": csrf_token(page.text)})

    # What the worker, AWS and the operator do.

    @rule(mood=st.sampled_from(MOODS), hours=st.sampled_from([0, 1, 1, 80]))
    def deliver(self, mood: str, hours: int) -> None:
        """Try the hand-off that has been due for longest."""
        self.set_mood(mood)
        self.hours += hours
        if claimed := claim_next(self.app, hours=self.hours):
            with self.app.app_context(), time_passes(hours=self.hours):
                endpoint = products.current().handoff_endpoints[PRODUCT_CODE]
                send_handoff.send(endpoint, claimed, allow_private=True)
        self.check_entries()

    @rule(hours=st.sampled_from([0.01, 0.01, 6]))
    def resolve(self, hours: float) -> None:
        with self.app.app_context(), time_passes(hours=hours):
            retry_pending.resolve_next()

    @rule()
    def merge(self) -> None:
        ids = {subscription.id for subscription in all_rows(self.app, Subscription)}
        run_transaction(self.app, lambda connection: merge.merge_into_one(connection, ids))
        self.check_entries()

    @rule(which=WHICH)
    def confirm(self, which: int) -> None:
        RegisteredBuyer(self.browsers[PEOPLE[0]], self.purchases[which]).receive_event(LICENSE_UPDATED)

    @rule(which=st.integers(0, 9))
    def send_again(self, which: int) -> None:
        if messages := handoff_messages(self.app):
            with self.app.app_context(), time_passes(hours=self.hours):
                outbox.resend(messages[which % len(messages)].id)

    @precondition(lambda self: not self.erased)
    @rule(who=WHO)
    def erase(self, who: int) -> None:
        for registration in all_rows(self.app, Registration):
            if registration.email.lower() == PEOPLE[who]:
                self.erased.add(PEOPLE[who])
                with self.app.app_context():
                    erasure.erase(registration.id, "operator:alice")

    def set_mood(self, mood: str) -> None:
        def reply(delivery: dict[str, object]) -> Reply:
            answer = self.product.process(delivery)
            return (200, {}, b"") if mood == "silent" else answer

        self.product.is_away, self.product.is_deaf = mood == "away", mood == "deaf"
        self.product.reply = (lambda _: (400, {}, b"")) if mood == "refuses" else reply

    def check_entries(self) -> None:
        """Check that each browser is led to no account, or one that was made for its person."""
        for email, browser in self.browsers.items():
            # An operator who erases a person decides what becomes of the account.
            assert self.entered_by(browser) in {None, email, *self.erased}

    def entered_by(self, browser: FlaskClient) -> str | None:
        """Return whose account the product lets this browser into: by its URL or, without one, by the token."""
        location = urlsplit(str(browser.get("/enter").headers.get("Location", "")))
        tokens = parse_qs(location.query).get(progress.QUERY_PARAMETER)
        if tokens is None:
            return None
        if location.geturl().startswith(URL):
            return self.product.owners[location.path.rpartition("/")[2]].lower()
        subscription_id = jwt.decode(tokens[0], options={"verify_signature": False})["sub"]
        return self.product.owners.get(self.product.accounts.get(subscription_id, ""), "").lower() or None

    def teardown(self) -> None:
        """Let the worker finish, and look for people whose answers are not stored any more."""
        if not hasattr(self, "purchases"):
            return
        for _ in range(40):
            self.resolve(0.01)
            self.deliver("well", 1)
        known = {registration.email.lower() for registration in all_rows(self.app, Registration)}
        stored = str(dump_tables(self.app)).lower()
        assert {email for email in PEOPLE if email in stored} == known


@on_sqlite
def test_nobody_enters_what_was_made_for_another(new_buyer: NewBuyer, product: OneAccountProduct) -> None:
    SharedPurchases.buyer, SharedPurchases.product = new_buyer, product
    # Each example is some hundred requests.
    examples = max(settings().max_examples // 5, 1)
    run_state_machine_as_test(SharedPurchases, settings=settings(max_examples=examples, stateful_step_count=25))
