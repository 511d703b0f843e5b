"""foyer usage: imports usage, shows what was sent to AWS, and what an operator has to look at."""

from app.cli.database import DatabaseGroup
from app.cli.usage import export, gaps, import_file, list_hours, settle, show

command = DatabaseGroup("usage", help="Import, list, show and export usage, and find what is wrong with it.")
command.add_command(import_file.command)
list_hours.add_to(command)
command.add_command(show.command)
command.add_command(settle.command)
command.add_command(export.command)
command.add_command(gaps.command)
