"""The list of all states of the pages and mails, by their names."""

from sandbox.gallery import error_states, form_states, invite_states, welcome_states
from sandbox.gallery.mail_states import MAIL_STATES, MailState
from sandbox.gallery.page_state import PageState

MAKERS = (
    form_states.signup_states,
    welcome_states.welcome_states,
    welcome_states.waiting_states,
    form_states.resume_states,
    form_states.invitation_states,
    invite_states.invite_states,
    error_states.around_states,
    error_states.error_states,
)
PAGE_STATES: tuple[PageState, ...] = tuple(state for make in MAKERS for state in make())
_ALL: tuple[PageState | MailState, ...] = (*PAGE_STATES, *MAIL_STATES)
STATES = {f"{state.group}: {state.name}": state for state in _ALL}
