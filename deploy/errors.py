"""What ends a command: each error says what is wrong and what to do."""

WAITING_STATUS = 3


class DeployError(Exception):
    """A command cannot go on: `what` is wrong, `to_do` are paragraphs, and `aws_words` is AWS's own message.

    Lines that begin with blanks are commands or DNS records, and are never wrapped. `status` is the exit status: 1, or
    3 where nothing is wrong and only DNS has to be waited for.
    """

    def __init__(self, what: str, *to_do: str, aws_words: str = "", status: int = 1) -> None:
        super().__init__(what)
        self.what, self.to_do, self.aws_words, self.status = what, to_do, aws_words, status
