"""The languages of the pages and mails that buyers see: which there are, which one is used, and its words."""
